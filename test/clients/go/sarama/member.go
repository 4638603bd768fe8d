package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"ottla/test/clients/check"
)

// member joins again and again until it is closed; it is the handler of its sessions.
type member struct {
	group  sarama.ConsumerGroup
	topic  string
	cancel context.CancelFunc
	done   chan struct{}

	mutex   sync.Mutex
	session sarama.ConsumerGroupSession
	holds   []int32
	lost    []int32 // every partition ever taken from it
	read    []check.Message
	trouble error
	closed  bool
}

func (s *client) join(group, topic string, strategy sarama.BalanceStrategy, instance string) (*member, error) {
	config := s.config()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	config.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	config.Consumer.Group.InstanceId = instance
	joined, err := sarama.NewConsumerGroup(s.bootstrap, group, config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{group: joined, topic: topic, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			if err := joined.Consume(ctx, []string{topic}, m); err != nil && ctx.Err() == nil {
				m.mutex.Lock()
				m.trouble = err
				m.mutex.Unlock()
				return
			}
		}
	}()
	return m, nil
}

func (s *client) Join(group, topic string) (check.Member, error) {
	return s.join(group, topic, sarama.NewBalanceStrategyRange(), "")
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.session = session
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(_ sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	m.mutex.Lock()
	m.holds = append(m.holds, claim.Partition())
	m.mutex.Unlock()
	for record := range claim.Messages() {
		m.mutex.Lock()
		m.read = append(m.read, message(record))
		m.mutex.Unlock()
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.holds = slices.DeleteFunc(m.holds, func(p int32) bool { return p == claim.Partition() })
	m.lost = append(m.lost, claim.Partition())
	return nil
}

func (m *member) Assigned() []int32 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.holds)
}

func (m *member) Lost() []int32 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.lost)
}

func (m *member) Read() []check.Message {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.read)
}

func (m *member) generation() int32 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.session.GenerationID()
}

func (m *member) Commit(offsets check.Offsets) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for partition, offset := range offsets {
		m.session.MarkOffset(m.topic, partition, offset, "")
	}
	m.session.Commit()
	return m.trouble
}

func (m *member) Close() error {
	m.mutex.Lock()
	closed := m.closed
	m.closed = true
	m.mutex.Unlock()
	if closed {
		return nil
	}
	m.cancel()
	<-m.done
	err := m.group.Close()
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return errors.Join(m.trouble, err)
}

func holds(m *member, count int) error {
	return check.Until(fmt.Sprintf("the member holds %d partitions", count), func() (bool, string) {
		assigned := m.Assigned()
		return len(assigned) == count, fmt.Sprint("it holds ", assigned)
	})
}
