// Package check is what the Go clients show, and how they say it: see README.md one folder up.
package check

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Wait is how long anything that is to happen may take.
const Wait = 20 * time.Second

// Run is one phase of one client, as its arguments say.
type Run struct {
	Bootstrap string
	Phase     string
	FirstTime int64 // timestamp of the first message, ms
	prefix    string
	failed    bool
}

// Start reads the arguments of the client and prints the version of its module.
func Start(name, module string) *Run {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage:", os.Args[0], "BOOTSTRAP PREFIX TIME work|again")
		os.Exit(2)
	}
	firstTime, err := strconv.ParseInt(os.Args[3], 10, 64)
	if err != nil {
		fmt.Fprintln(os.Stderr, "TIME:", err)
		os.Exit(2)
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range build.Deps {
			if dependency.Path == module {
				fmt.Println("version", strings.TrimPrefix(dependency.Version, "v"))
			}
		}
	}
	fmt.Println("runtime", strings.Replace(runtime.Version(), "go", "Go ", 1))
	return &Run{Bootstrap: os.Args[1], Phase: os.Args[4], FirstTime: firstTime, prefix: os.Args[2] + "-" + name + "-"}
}

// Named is a topic or group of this run.
func (r *Run) Named(name string) string { return r.prefix + name }

// Shown runs a check, prints that it was shown, or that it FAILED and why, and goes on.
func (r *Run) Shown(what string, check func() error) {
	if err := check(); err != nil {
		r.failed = true
		fmt.Printf("FAILED %s: %s\n", what, strings.Join(strings.Fields(err.Error()), " "))
		return
	}
	fmt.Println("ok", what)
}

// Absent says that the client has no such thing.
func (r *Run) Absent(what, why string) { fmt.Printf("absent %s: %s\n", what, why) }

// Exit ends the program.
func (r *Run) Exit() {
	if r.failed {
		os.Exit(1)
	}
	os.Exit(0)
}

// Message is one message as it is sent and as it is to come back.
type Message struct {
	Key       string // "" for none
	Value     string
	Time      int64 // ms
	Partition int32 // where it is to go when the client is told so, and where it came from
	Offset    int64
}

// Messages are the same for the same topic in every run: every third without a key.
func (r *Run) Messages(topic string, count int) []Message {
	messages := make([]Message, count)
	for i := range messages {
		key := ""
		if i%3 != 0 {
			key = fmt.Sprintf("key-%d", i%11)
		}
		value := fmt.Sprintf("%s message %d %s", topic, i, strings.Repeat("é.", i%40))
		messages[i] = Message{Key: key, Value: value, Time: r.FirstTime + int64(i)*1000, Partition: int32(i % 3)}
	}
	return messages
}

// Same fails when two values differ.
func Same[T comparable](expected, actual T, what string) error {
	if expected != actual {
		return fmt.Errorf("%s: expected %v, got %v", what, expected, actual)
	}
	return nil
}

// Holds fails unless the messages read are those sent: each once, and in each partition in the order of sending.
func Holds(sent, read []Message) error {
	if err := Same(len(sent), len(read), "messages"); err != nil {
		return err
	}
	index := map[string]int{}
	for i, message := range sent {
		index[message.Value] = i
	}
	last := map[int32]int{}
	for _, message := range read {
		i, ok := index[message.Value]
		if !ok {
			return fmt.Errorf("a message twice, or never sent: %q", message.Value)
		}
		delete(index, message.Value)
		if sent[i].Key != message.Key || sent[i].Time != message.Time {
			return fmt.Errorf("sent %v, read %v", sent[i], message)
		}
		if before, ok := last[message.Partition]; ok && before >= i {
			return fmt.Errorf("message %d after %d in partition %d", i, before, message.Partition)
		}
		last[message.Partition] = i
	}
	return nil
}

// Until waits for a condition; it fails with what is there instead.
func Until(what string, condition func() (bool, string)) error {
	deadline := time.Now().Add(Wait)
	for {
		ok, instead := condition()
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v, but %s", what, Wait, instead)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Sorted is a sorted copy.
func Sorted(partitions []int32) []int32 {
	return slices.Sorted(slices.Values(partitions))
}
