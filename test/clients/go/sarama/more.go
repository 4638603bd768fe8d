package main

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"ottla/test/clients/check"
)

func (s *client) idempotent(topic string, messagesOf func(string, int) []check.Message) error {
	if err := s.CreateTopic(topic, 3); err != nil {
		return err
	}
	config := s.config()
	config.Producer.Idempotent = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Net.MaxOpenRequests = 1
	messages := messagesOf(topic, 300)
	if err := s.produce(config, topic, messages); err != nil {
		return err
	}
	read, err := s.Read(topic, check.Offsets{0: 0, 1: 0, 2: 0}, len(messages))
	if err != nil {
		return err
	}
	return check.Holds(messages, read)
}

func (s *client) headers(topic string) error {
	if err := s.CreateTopic(topic, 1); err != nil {
		return err
	}
	producer, err := sarama.NewSyncProducer(s.bootstrap, s.config())
	if err != nil {
		return err
	}
	defer producer.Close()
	headers := []sarama.RecordHeader{{Key: []byte("trace"), Value: []byte("abc")}, {Key: []byte("empty"), Value: []byte{}}}
	sent := &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("deleted"), Headers: headers}
	if _, _, err := producer.SendMessage(sent); err != nil {
		return err
	}
	records, err := s.records(topic, check.Offsets{0: 0}, 1)
	if err != nil {
		return err
	}
	if records[0].Value != nil {
		return fmt.Errorf("the value is %q, not null", records[0].Value)
	}
	var read []sarama.RecordHeader
	for _, header := range records[0].Headers {
		read = append(read, *header)
	}
	return check.Same(fmt.Sprintf("%q", headers), fmt.Sprintf("%q", read), "headers")
}

// cooperative: what a member keeps is not taken from it when another joins.
func (s *client) cooperative(name string) error {
	if err := s.CreateTopic(name, 3); err != nil {
		return err
	}
	first, err := s.join(name, name, sarama.NewBalanceStrategyCooperativeSticky(), "")
	if err != nil {
		return err
	}
	defer first.Close()
	if err := holds(first, 3); err != nil {
		return err
	}
	second, err := s.join(name, name, sarama.NewBalanceStrategyCooperativeSticky(), "")
	if err != nil {
		return err
	}
	defer second.Close()
	if err := holds(second, 1); err != nil {
		return err
	}
	if err := check.Same(fmt.Sprint(second.Assigned()), fmt.Sprint(first.Lost()), "what the first lost"); err != nil {
		return err
	}
	return check.Same(2, len(first.Assigned()), "what the first kept")
}

// static: a member with an instance id goes and comes back, and the other is not disturbed.
func (s *client) static(name string) error {
	if err := s.CreateTopic(name, 3); err != nil {
		return err
	}
	join := func(instance string) (*member, error) {
		return s.join(name, name, sarama.NewBalanceStrategyRange(), instance)
	}
	first, err := join("first")
	if err != nil {
		return err
	}
	defer first.Close()
	second, err := join("second")
	if err != nil {
		return err
	}
	defer func() { second.Close() }()
	if err := check.Until("both hold partitions", func() (bool, string) {
		ours, theirs := first.Assigned(), second.Assigned()
		return len(ours) > 0 && len(theirs) > 0 && len(ours)+len(theirs) == 3, fmt.Sprint(ours, theirs)
	}); err != nil {
		return err
	}
	lost, held, generation := len(first.Lost()), second.Assigned(), first.generation()
	if err := second.Close(); err != nil { // a static member does not say that it leaves
		return err
	}
	if second, err = join("second"); err != nil {
		return err
	}
	if err := holds(second, len(held)); err != nil {
		return err
	}
	if err := check.Same(fmt.Sprint(check.Sorted(held)), fmt.Sprint(check.Sorted(second.Assigned())), "assignment"); err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond) // more than two heartbeats: it would know of a rebalance
	if err := check.Same(generation, first.generation(), "generation"); err != nil {
		return err
	}
	return check.Same(lost, len(first.Lost()), "partitions the other lost")
}

// remove: the admin client removes a member of a group.
func (s *client) remove(name string) error {
	if err := s.CreateTopic(name, 3); err != nil {
		return err
	}
	m, err := s.join(name, name, sarama.NewBalanceStrategyRange(), "removed")
	if err != nil {
		return err
	}
	defer m.Close()
	if err := holds(m, 3); err != nil {
		return err
	}
	if err := m.Close(); err != nil { // it stays in the group: static
		return err
	}
	described, err := s.describe(name)
	if err != nil {
		return err
	}
	if err := check.Same(1, len(described.Members), "members before"); err != nil {
		return err
	}
	answer, err := s.admin.RemoveMemberFromConsumerGroup(name, []string{"removed"})
	if err != nil {
		return err
	}
	if answer.Err != sarama.ErrNoError || len(answer.Members) != 1 || answer.Members[0].Err != sarama.ErrNoError {
		return fmt.Errorf("the answer: %+v", answer)
	}
	described, err = s.describe(name)
	if err != nil {
		return err
	}
	return check.Same("Empty 0", fmt.Sprintf("%s %d", described.State, len(described.Members)), "the group")
}
