// franz-go BOOTSTRAP PREFIX TIME work|again
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"ottla/test/clients/check"
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func main() {
	run := check.Start("franz-go", "github.com/twmb/franz-go")
	client := &franz{bootstrap: run.Bootstrap}
	own, err := client.open()
	if err != nil {
		run.Shown("client", func() error { return err })
		run.Exit()
	}
	client.admin = kadm.NewClient(own)
	if run.Phase == "work" {
		run.Work(client)
		run.Shown("idempotent", func() error { return client.idempotent(run.Named("none")) })
		run.Shown("headers", func() error { return client.headers(run.Named("headers"), run.FirstTime) })
		run.Shown("cooperative", func() error { return client.cooperative(run.Named("cooperative")) })
		run.Shown("static member", func() error { return client.static(run.Named("static")) })
		run.Shown("lag", func() error { return client.lag(run.Named("commit")) })
		run.Shown("remove members", func() error { return client.remove(run.Named("remove")) })
	} else {
		run.Again(client)
	}
	run.Exit()
}

type franz struct {
	bootstrap string
	admin     *kadm.Client
}

func (f *franz) open(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(f.bootstrap), kgo.ClientID(f.ClientID()), kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.RetryTimeout(check.Wait),
	}, options...)...)
}

func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), check.Wait)
}

func (f *franz) ClientID() string { return "franz-go" }

func (f *franz) CreateTopic(topic string, partitions int) error {
	ctx, cancel := within()
	defer cancel()
	answer, err := f.admin.CreateTopic(ctx, int32(partitions), 1, nil, topic)
	return errors.Join(err, answer.Err)
}

func (f *franz) IsExists(err error) bool { return errors.Is(err, kerr.TopicAlreadyExists) }

func (f *franz) CountPartitions(topic string) (int, error) {
	ctx, cancel := within()
	defer cancel()
	topics, err := f.admin.ListTopics(ctx, topic)
	return len(topics[topic].Partitions), errors.Join(err, topics[topic].Err)
}

func (f *franz) Produce(topic, codec string, keyed bool, messages []check.Message) error {
	options := []kgo.Opt{kgo.ProducerBatchCompression(codecs[codec])}
	if !keyed {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	client, err := f.open(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	records := make([]*kgo.Record, len(messages))
	for i, message := range messages {
		records[i] = &kgo.Record{Topic: topic, Partition: message.Partition, Value: []byte(message.Value),
			Timestamp: time.UnixMilli(message.Time)}
		if message.Key != "" {
			records[i].Key = []byte(message.Key)
		}
	}
	ctx, cancel := within()
	defer cancel()
	return client.ProduceSync(ctx, records...).FirstErr()
}

func message(record *kgo.Record) check.Message {
	return check.Message{Key: string(record.Key), Value: string(record.Value), Time: record.Timestamp.UnixMilli(),
		Partition: record.Partition, Offset: record.Offset}
}

func (f *franz) records(topic string, from check.Offsets, count int) ([]*kgo.Record, error) {
	offsets := map[int32]kgo.Offset{}
	for partition, offset := range from {
		offsets[partition] = kgo.NewOffset().At(offset)
	}
	client, err := f.open(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := within()
	defer cancel()
	var records []*kgo.Record
	for len(records) < count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return records, fmt.Errorf("%w after %d messages", err, len(records))
		}
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

func (f *franz) Read(topic string, from check.Offsets, count int) ([]check.Message, error) {
	records, err := f.records(topic, from, count)
	messages := make([]check.Message, len(records))
	for i, record := range records {
		messages[i] = message(record)
	}
	return messages, err
}

func (f *franz) OffsetsAt(topic string, time int64) (check.Offsets, error) {
	ctx, cancel := within()
	defer cancel()
	listed, err := f.admin.ListOffsetsAfterMilli(ctx, time, topic)
	offsets := check.Offsets{}
	for partition, offset := range listed[topic] {
		offsets[partition] = offset.Offset
	}
	return offsets, errors.Join(err, listed.Error())
}

// member reads in a goroutine of its own.
type member struct {
	client *kgo.Client
	topic  string
	mutex  sync.Mutex
	holds  []int32
	lost   []int32 // every partition ever taken from it
	read   []check.Message
	done   chan struct{}
}

func (f *franz) join(group, topic string, options ...kgo.Opt) (*member, error) {
	m := &member{topic: topic, done: make(chan struct{})}
	revoked := func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
		m.mutex.Lock()
		defer m.mutex.Unlock()
		m.lost = append(m.lost, partitions[topic]...)
		m.holds = slices.DeleteFunc(m.holds, func(p int32) bool { return slices.Contains(partitions[topic], p) })
	}
	client, err := f.open(append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(200 * time.Millisecond),
		kgo.SessionTimeout(6 * time.Second), kgo.OnPartitionsRevoked(revoked), kgo.OnPartitionsLost(revoked),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			m.mutex.Lock()
			defer m.mutex.Unlock()
			m.holds = append(m.holds, partitions[topic]...)
		}),
	}, options...)...)
	if err != nil {
		return nil, err
	}
	m.client = client
	go m.poll()
	return m, nil
}

func (f *franz) Join(group, topic string) (check.Member, error) {
	return f.join(group, topic, kgo.Balancers(kgo.RangeBalancer()))
}

func (m *member) poll() {
	defer close(m.done)
	for {
		fetches := m.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		m.mutex.Lock()
		fetches.EachRecord(func(record *kgo.Record) { m.read = append(m.read, message(record)) })
		m.mutex.Unlock()
	}
}

func (m *member) Assigned() []int32 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.holds)
}

func (m *member) Read() []check.Message {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.read)
}

func (m *member) Commit(offsets check.Offsets) error {
	records := []*kgo.Record{}
	for partition, offset := range offsets {
		// CommitRecords commits the offset after the record.
		records = append(records, &kgo.Record{Topic: m.topic, Partition: partition, Offset: offset - 1, LeaderEpoch: -1})
	}
	ctx, cancel := within()
	defer cancel()
	return m.client.CommitRecords(ctx, records...)
}

func (m *member) Close() error {
	m.client.Close()
	<-m.done
	return nil
}

func (f *franz) Committed(group, topic string) (check.Offsets, error) {
	ctx, cancel := within()
	defer cancel()
	answers, err := f.admin.FetchOffsets(ctx, group)
	offsets := check.Offsets{}
	for partition, answer := range answers[topic] {
		offsets[partition] = answer.At
	}
	return offsets, errors.Join(err, answers.Error())
}

func (f *franz) Groups() ([]string, error) {
	ctx, cancel := within()
	defer cancel()
	groups, err := f.admin.ListGroups(ctx)
	return groups.Groups(), err
}

func (f *franz) describe(group string) (kadm.DescribedGroup, error) {
	ctx, cancel := within()
	defer cancel()
	described, err := f.admin.DescribeGroups(ctx, group)
	return described[group], errors.Join(err, described.Error())
}

func (f *franz) Describe(group, topic string) (check.Description, error) {
	described, err := f.describe(group)
	description := check.Description{State: described.State}
	for _, member := range described.Members {
		description.ClientIDs = append(description.ClientIDs, member.ClientID)
	}
	for partition := range described.AssignedPartitions()[topic] {
		description.Assigned = append(description.Assigned, partition)
	}
	return description, err
}

func (f *franz) DeleteGroup(group string) error {
	ctx, cancel := within()
	defer cancel()
	answer, err := f.admin.DeleteGroup(ctx, group)
	return errors.Join(err, answer.Err)
}

func (f *franz) DeleteOffset(group, topic string, partition int32) error {
	ctx, cancel := within()
	defer cancel()
	set := kadm.TopicsSet{}
	set.Add(topic, partition)
	answers, err := f.admin.DeleteOffsets(ctx, group, set)
	return errors.Join(err, answers.Error())
}

func (f *franz) ResetOffsets(group, topic string, offsets check.Offsets) error {
	ctx, cancel := within()
	defer cancel()
	all := kadm.Offsets{}
	for partition, offset := range offsets {
		all.AddOffset(topic, partition, offset, -1)
	}
	return f.admin.CommitAllOffsets(ctx, group, all)
}
