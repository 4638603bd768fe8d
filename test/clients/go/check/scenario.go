package check

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Offsets by partition of one topic.
type Offsets = map[int32]int64

// Description of a group.
type Description struct {
	State     string
	ClientIDs []string // one for each member
	Assigned  []int32  // of all members, in one topic
}

// Member of a group; it joins when it is made, and reads by itself.
type Member interface {
	Assigned() []int32
	Read() []Message
	Commit(offsets Offsets) error
	Close() error
}

// Client is what a library can do, in the words of the scenario.
type Client interface {
	ClientID() string
	CreateTopic(topic string, partitions int) error
	IsExists(err error) bool
	CountPartitions(topic string) (int, error)
	// Produce sends the messages in order with the compression of that name. Unless keyed, each goes to its
	// Partition; if keyed, the library chooses, and Partition is set.
	Produce(topic, codec string, keyed bool, messages []Message) error
	// Read reads count messages from these offsets on, without a group.
	Read(topic string, from Offsets, count int) ([]Message, error)
	OffsetsAt(topic string, time int64) (Offsets, error)
	// Join joins a group from the start of the topic where nothing is committed; it commits only when told to.
	Join(group, topic string) (Member, error)
	Committed(group, topic string) (Offsets, error)
	Groups() ([]string, error)
	Describe(group, topic string) (Description, error)
	DeleteGroup(group string) error
	DeleteOffset(group, topic string, partition int32) error
	// ResetOffsets commits in the place of a group without members.
	ResetOffsets(group, topic string, offsets Offsets) error
}

const count = 300

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}
var start = Offsets{0: 0, 1: 0, 2: 0}
var committed = Offsets{0: 40, 1: 41, 2: 42}

// javaHomes are the partitions of key-0 … key-9 among three, as the Java client's murmur2 has them.
var javaHomes = []int32{1, 0, 2, 2, 0, 2, 2, 1, 1, 0}

// Work is the first phase.
func (r *Run) Work(client Client) {
	r.Shown("topic", func() error { return r.topic(client) })
	for _, codec := range codecs {
		r.Shown("produce "+codec, func() error { return r.produceAndRead(client, codec) })
	}
	r.Shown("partitioner", func() error { return r.partitioner(client) })
	r.Shown("timestamp", func() error { return r.timestamp(client) })
	r.groupOfTwo(client)
	r.Shown("commit", func() error { return r.commit(client) })
	r.Shown("resume", func() error { return r.resume(client) })
	r.Shown("reset offsets", func() error { return r.reset(client) })
	r.Shown("delete offsets", func() error { return r.deleteOffset(client) })
	r.Shown("delete group", func() error { return r.deleteGroup(client) })
}

// Again is the phase after the kill.
func (r *Run) Again(client Client) {
	r.Shown("messages kept", func() error {
		for _, codec := range codecs {
			topic := r.Named(codec)
			read, err := client.Read(topic, start, count)
			if err == nil {
				err = Holds(r.Messages(topic, count), read)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", topic, err)
			}
		}
		return nil
	})
	r.Shown("offsets kept", func() error { return r.holdsOffsets(client, r.Named("commit"), committed) })
	r.Shown("group resumes", func() error { return r.groupResumes(client) })
}

// create makes a topic of three partitions and waits until it is known: Apache Kafka answers a moment earlier.
func create(client Client, topic string) error {
	if err := client.CreateTopic(topic, 3); err != nil {
		return err
	}
	return Until("the topic has 3 partitions", func() (bool, string) {
		partitions, err := client.CountPartitions(topic)
		return partitions == 3 && err == nil, fmt.Sprint(partitions, err)
	})
}

// filled makes a topic of three partitions with count messages, message i in partition i % 3.
func (r *Run) filled(client Client, topic, codec string) error {
	if err := create(client, topic); err != nil {
		return err
	}
	return client.Produce(topic, codec, false, r.Messages(topic, count))
}

func (r *Run) topic(client Client) error {
	topic := r.Named("topic")
	if err := create(client, topic); err != nil {
		return err
	}
	if err := client.CreateTopic(topic, 3); !client.IsExists(err) {
		return fmt.Errorf("a second creation: %w", err)
	}
	return nil
}

func (r *Run) produceAndRead(client Client, codec string) error {
	topic := r.Named(codec)
	if err := r.filled(client, topic, codec); err != nil {
		return err
	}
	read, err := client.Read(topic, start, count)
	if err != nil {
		return err
	}
	return Holds(r.Messages(topic, count), read)
}

func (r *Run) partitioner(client Client) error {
	topic := r.Named("partitioner")
	if err := create(client, topic); err != nil {
		return err
	}
	messages := make([]Message, len(javaHomes))
	for i := range messages {
		messages[i] = Message{Key: fmt.Sprintf("key-%d", i), Value: fmt.Sprintf("value %d", i), Time: r.FirstTime}
	}
	if err := client.Produce(topic, "none", true, messages); err != nil {
		return err
	}
	read, err := client.Read(topic, start, len(messages))
	if err != nil {
		return err
	}
	if err := Holds(messages, read); err != nil {
		return err
	}
	for i, key := range messages {
		at := slices.IndexFunc(read, func(message Message) bool { return message.Key == key.Key })
		if err := Same(javaHomes[i], read[at].Partition, "partition of "+key.Key); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) timestamp(client Client) error {
	topic := r.Named("none")
	offsets, err := client.OffsetsAt(topic, r.FirstTime+122_500)
	if err != nil {
		return err
	}
	if expected := (Offsets{0: 41, 1: 41, 2: 41}); !maps.Equal(expected, offsets) {
		return fmt.Errorf("expected %v, got %v", expected, offsets)
	}
	read, err := client.Read(topic, offsets, count-123)
	if err != nil {
		return err
	}
	return Holds(r.Messages(topic, count)[123:], read)
}

// groupOfTwo shows what a group does while it has members.
func (r *Run) groupOfTwo(client Client) {
	name := r.Named("group")
	var first, second Member
	r.Shown("group of two", func() (err error) {
		if err = r.filled(client, name, "none"); err != nil {
			return err
		}
		if first, err = client.Join(name, name); err != nil {
			return err
		}
		if err = holdsAll(first); err != nil {
			return err
		}
		if second, err = client.Join(name, name); err != nil {
			return err
		}
		if err = together(first, second); err != nil {
			return err
		}
		return r.readTogether(client, name, first, second)
	})
	defer func() {
		for _, member := range []Member{first, second} {
			if member != nil {
				_ = member.Close() // a second time for one of them
			}
		}
	}()
	r.Shown("list groups", func() error { return r.listed(client, name) })
	r.Shown("describe group", func() error { return r.describe(client, name) })
	r.Shown("leave", func() error {
		if first == nil || second == nil {
			return errors.New("there were no two members")
		}
		if err := first.Close(); err != nil {
			return err
		}
		if err := holdsAll(second); err != nil {
			return err
		}
		return r.readTogether(client, name, second)
	})
}

func holdsAll(member Member) error {
	return Until("a member alone holds every partition", func() (bool, string) {
		assigned := Sorted(member.Assigned())
		return slices.Equal(assigned, []int32{0, 1, 2}), fmt.Sprint(assigned)
	})
}

func together(first, second Member) error {
	return Until("two members share the partitions", func() (bool, string) {
		ours, theirs := first.Assigned(), second.Assigned()
		all := Sorted(append(slices.Clone(ours), theirs...))
		ok := len(ours) > 0 && len(theirs) > 0 && slices.Equal(all, []int32{0, 1, 2})
		return ok, fmt.Sprint(ours, " and ", theirs)
	})
}

// readTogether produces anew and waits until the members have read exactly that between them.
func (r *Run) readTogether(client Client, topic string, members ...Member) error {
	messages := r.Messages(fmt.Sprintf("%s for %d", topic, len(members)), count)
	if err := client.Produce(topic, "none", false, messages); err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, message := range messages {
		ours[message.Value] = true
	}
	read := func() []Message {
		var read []Message
		for _, member := range members {
			for _, message := range member.Read() {
				if ours[message.Value] {
					read = append(read, message)
				}
			}
		}
		return read
	}
	if err := Until("the members read what was produced", func() (bool, string) {
		read := len(read())
		return read >= count, fmt.Sprint("they read ", read)
	}); err != nil {
		return err
	}
	return Holds(messages, read())
}

func (r *Run) listed(client Client, group string) error {
	groups, err := client.Groups()
	if err != nil {
		return err
	}
	if !slices.Contains(groups, group) {
		return fmt.Errorf("%s is not among %v", group, groups)
	}
	return nil
}

func (r *Run) describe(client Client, group string) error {
	found, err := client.Describe(group, group)
	if err != nil {
		return err
	}
	expected := Description{"Stable", []string{client.ClientID(), client.ClientID()}, []int32{0, 1, 2}}
	found.Assigned = Sorted(found.Assigned)
	return Same(fmt.Sprint(expected), fmt.Sprint(found), "description")
}

// startsAt waits for the first message of every partition that a member reads.
func startsAt(member Member, expected Offsets) error {
	starts := func() Offsets {
		first := Offsets{}
		for _, message := range member.Read() {
			if _, ok := first[message.Partition]; !ok {
				first[message.Partition] = message.Offset
			}
		}
		return first
	}
	if err := Until("a message of every partition", func() (bool, string) {
		first := starts()
		return len(first) == len(expected), fmt.Sprint(first)
	}); err != nil {
		return err
	}
	if found := starts(); !maps.Equal(expected, found) {
		return fmt.Errorf("begins at %v, not at %v", found, expected)
	}
	return nil
}

func (r *Run) holdsOffsets(client Client, group string, expected Offsets) error {
	found, err := client.Committed(group, group)
	if err != nil {
		return err
	}
	if !maps.Equal(expected, found) {
		return fmt.Errorf("committed are %v, not %v", found, expected)
	}
	return nil
}

func (r *Run) commit(client Client) error {
	name := r.Named("commit")
	if err := r.filled(client, name, "none"); err != nil {
		return err
	}
	member, err := client.Join(name, name)
	if err != nil {
		return err
	}
	err = startsAt(member, start)
	if err == nil {
		err = member.Commit(committed)
	}
	if err = errors.Join(err, member.Close()); err != nil {
		return err
	}
	return r.holdsOffsets(client, name, committed)
}

func (r *Run) resume(client Client) error {
	name := r.Named("commit")
	member, err := client.Join(name, name)
	if err != nil {
		return err
	}
	return errors.Join(startsAt(member, committed), member.Close())
}

func (r *Run) groupResumes(client Client) error {
	name := r.Named("commit")
	member, err := client.Join(name, name)
	if err != nil {
		return err
	}
	err = startsAt(member, committed)
	if err == nil {
		err = Until("it reads to the end", func() (bool, string) {
			read := len(member.Read())
			return read >= count-40-41-42, fmt.Sprint("it read ", read)
		})
	}
	end := Offsets{0: 100, 1: 100, 2: 100}
	if err == nil {
		err = member.Commit(end)
	}
	if err = errors.Join(err, member.Close()); err != nil {
		return err
	}
	return r.holdsOffsets(client, name, end)
}

// emptied makes a group that has offsets and no member any more.
func (r *Run) emptied(client Client, name string) error {
	if err := create(client, name); err != nil {
		return err
	}
	return client.ResetOffsets(name, name, committed)
}

func (r *Run) reset(client Client) error {
	name := r.Named("reset")
	if err := r.emptied(client, name); err != nil {
		return err
	}
	if err := r.holdsOffsets(client, name, committed); err != nil {
		return err
	}
	if err := client.Produce(name, "none", false, r.Messages(name, count)); err != nil {
		return err
	}
	to := Offsets{0: 7, 1: 8, 2: 9}
	if err := client.ResetOffsets(name, name, to); err != nil {
		return err
	}
	member, err := client.Join(name, name)
	if err != nil {
		return err
	}
	return errors.Join(startsAt(member, to), member.Close())
}

func (r *Run) deleteOffset(client Client) error {
	name := r.Named("delete-offset")
	if err := r.emptied(client, name); err != nil {
		return err
	}
	if err := client.DeleteOffset(name, name, 1); err != nil {
		return err
	}
	return r.holdsOffsets(client, name, Offsets{0: 40, 2: 42})
}

func (r *Run) deleteGroup(client Client) error {
	name := r.Named("delete-group")
	if err := r.emptied(client, name); err != nil {
		return err
	}
	if err := r.listed(client, name); err != nil {
		return err
	}
	if err := client.DeleteGroup(name); err != nil {
		return err
	}
	return Until("the group is gone", func() (bool, string) {
		err := r.listed(client, name)
		time.Sleep(10 * time.Millisecond)
		return err != nil, "it is listed still"
	})
}
