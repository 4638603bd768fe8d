// sarama BOOTSTRAP PREFIX TIME work|again
package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"ottla/test/clients/check"
)

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func main() {
	run := check.Start("sarama", "github.com/IBM/sarama")
	s := &client{bootstrap: []string{run.Bootstrap}}
	admin, err := sarama.NewClusterAdmin(s.bootstrap, s.config())
	if err != nil {
		run.Shown("client", func() error { return err })
		run.Exit()
	}
	s.admin = admin
	if run.Phase == "work" {
		run.Work(s)
		run.Shown("idempotent", func() error { return s.idempotent(run.Named("idempotent"), run.Messages) })
		run.Shown("headers", func() error { return s.headers(run.Named("headers")) })
		run.Shown("cooperative", func() error { return s.cooperative(run.Named("cooperative")) })
		run.Shown("static member", func() error { return s.static(run.Named("static")) })
		run.Shown("remove members", func() error { return s.remove(run.Named("remove")) })
		run.Absent("lag", "its admin client computes none")
	} else {
		run.Again(s)
	}
	run.Exit()
}

type client struct {
	bootstrap []string
	admin     sarama.ClusterAdmin
}

func (s *client) config() *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = s.ClientID()
	config.Version = sarama.MaxVersion
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Consumer.MaxWaitTime = 200 * time.Millisecond
	return config
}

func (s *client) ClientID() string { return "sarama" }

func (s *client) CreateTopic(topic string, partitions int) error {
	return s.admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1}, false)
}

func (s *client) IsExists(err error) bool { return errors.Is(err, sarama.ErrTopicAlreadyExists) }

func (s *client) CountPartitions(topic string) (int, error) {
	topics, err := s.admin.DescribeTopics([]string{topic})
	if err != nil {
		return 0, err
	}
	return len(topics[0].Partitions), nil
}

func (s *client) Produce(topic, codec string, keyed bool, messages []check.Message) error {
	config := s.config()
	config.Producer.Compression = codecs[codec]
	config.Producer.Partitioner = sarama.NewMurmur2Partitioner
	if !keyed {
		config.Producer.Partitioner = sarama.NewManualPartitioner
	}
	return s.produce(config, topic, messages)
}

func (s *client) produce(config *sarama.Config, topic string, messages []check.Message) error {
	producer, err := sarama.NewSyncProducer(s.bootstrap, config)
	if err != nil {
		return err
	}
	records := make([]*sarama.ProducerMessage, len(messages))
	for i, message := range messages {
		records[i] = &sarama.ProducerMessage{Topic: topic, Partition: message.Partition,
			Value: sarama.StringEncoder(message.Value), Timestamp: time.UnixMilli(message.Time)}
		if message.Key != "" {
			records[i].Key = sarama.StringEncoder(message.Key)
		}
	}
	return errors.Join(producer.SendMessages(records), producer.Close())
}

func message(record *sarama.ConsumerMessage) check.Message {
	return check.Message{Key: string(record.Key), Value: string(record.Value), Time: record.Timestamp.UnixMilli(),
		Partition: record.Partition, Offset: record.Offset}
}

func (s *client) records(topic string, from check.Offsets, count int) ([]*sarama.ConsumerMessage, error) {
	consumer, err := sarama.NewConsumer(s.bootstrap, s.config())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	all := make(chan *sarama.ConsumerMessage)
	done := make(chan struct{})
	defer close(done)
	for partition, offset := range from {
		part, err := consumer.ConsumePartition(topic, partition, offset)
		if err != nil {
			return nil, err
		}
		defer part.AsyncClose()
		go func() {
			for record := range part.Messages() {
				select {
				case all <- record:
				case <-done:
					return
				}
			}
		}()
	}
	var records []*sarama.ConsumerMessage
	late := time.After(check.Wait)
	for len(records) < count {
		select {
		case record := <-all:
			records = append(records, record)
		case <-late:
			return records, fmt.Errorf("only %d messages within %v", len(records), check.Wait)
		}
	}
	return records, nil
}

func (s *client) Read(topic string, from check.Offsets, count int) ([]check.Message, error) {
	records, err := s.records(topic, from, count)
	messages := make([]check.Message, len(records))
	for i, record := range records {
		messages[i] = message(record)
	}
	return messages, err
}

func (s *client) OffsetsAt(topic string, time int64) (check.Offsets, error) {
	answers, err := s.admin.ListOffsets(map[string]map[int32]int64{topic: {0: time, 1: time, 2: time}}, nil)
	offsets := check.Offsets{}
	for partition, answer := range answers[topic] {
		if answer.Err != sarama.ErrNoError {
			return nil, answer.Err
		}
		offsets[partition] = answer.Offset
	}
	return offsets, err
}

func (s *client) Committed(group, topic string) (check.Offsets, error) {
	answer, err := s.admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1, 2}})
	if err != nil {
		return nil, err
	}
	offsets := check.Offsets{}
	for partition, block := range answer.Blocks[topic] {
		if block.Err != sarama.ErrNoError {
			return nil, block.Err
		}
		if block.Offset >= 0 {
			offsets[partition] = block.Offset
		}
	}
	return offsets, nil
}

func (s *client) Groups() ([]string, error) {
	groups, err := s.admin.ListConsumerGroups()
	var names []string
	for name := range groups {
		names = append(names, name)
	}
	return names, err
}

func (s *client) describe(group string) (*sarama.GroupDescription, error) {
	groups, err := s.admin.DescribeConsumerGroups([]string{group})
	if err != nil {
		return nil, err
	}
	if groups[0].Err != sarama.ErrNoError {
		return nil, groups[0].Err
	}
	return groups[0], nil
}

func (s *client) Describe(group, topic string) (check.Description, error) {
	described, err := s.describe(group)
	if err != nil {
		return check.Description{}, err
	}
	description := check.Description{State: described.State}
	for _, member := range described.Members {
		description.ClientIDs = append(description.ClientIDs, member.ClientId)
		assignment, err := member.GetMemberAssignment()
		if err != nil {
			return description, err
		}
		description.Assigned = append(description.Assigned, assignment.Topics[topic]...)
	}
	return description, nil
}

func (s *client) DeleteGroup(group string) error { return s.admin.DeleteConsumerGroup(group) }

func (s *client) DeleteOffset(group, topic string, partition int32) error {
	return s.admin.DeleteConsumerGroupOffset(group, topic, partition)
}

func (s *client) ResetOffsets(group, topic string, offsets check.Offsets) error {
	all := map[int32]sarama.OffsetAndMetadata{}
	for partition, offset := range offsets {
		all[partition] = sarama.OffsetAndMetadata{Offset: offset, LeaderEpoch: -1}
	}
	answer, err := s.admin.AlterConsumerGroupOffsets(group, map[string]map[int32]sarama.OffsetAndMetadata{topic: all}, nil)
	if err != nil {
		return err
	}
	for partition, code := range answer.Errors[topic] {
		if code != sarama.ErrNoError {
			return fmt.Errorf("partition %d: %w", partition, code)
		}
	}
	return nil
}
