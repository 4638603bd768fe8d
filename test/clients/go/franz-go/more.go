package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"ottla/test/clients/check"
)

// idempotent: every record of a producer with the library's settings carries a producer id.
func (f *franz) idempotent(topic string) error {
	records, err := f.records(topic, check.Offsets{0: 0, 1: 0, 2: 0}, 300)
	if err != nil {
		return err
	}
	for _, record := range records {
		if record.ProducerID < 0 {
			return fmt.Errorf("offset %d of partition %d has no producer id", record.Offset, record.Partition)
		}
	}
	return nil
}

func (f *franz) headers(topic string, time int64) error {
	if err := f.CreateTopic(topic, 1); err != nil {
		return err
	}
	client, err := f.open()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := within()
	defer cancel()
	headers := []kgo.RecordHeader{{Key: "trace", Value: []byte("abc")}, {Key: "trace", Value: []byte{}}, {Key: "nothing"}}
	sent := &kgo.Record{Topic: topic, Key: []byte("deleted"), Headers: headers}
	if err := client.ProduceSync(ctx, sent).FirstErr(); err != nil {
		return err
	}
	records, err := f.records(topic, check.Offsets{0: 0}, 1)
	if err != nil {
		return err
	}
	if records[0].Value != nil {
		return fmt.Errorf("the value is %q, not null", records[0].Value)
	}
	return check.Same(fmt.Sprintf("%q", headers), fmt.Sprintf("%q", records[0].Headers), "headers")
}

// cooperative: what a member keeps is not taken from it when another joins.
func (f *franz) cooperative(name string) error {
	if err := f.CreateTopic(name, 3); err != nil {
		return err
	}
	first, err := f.join(name, name, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	if err != nil {
		return err
	}
	defer first.Close()
	if err := holds(first, 3); err != nil {
		return err
	}
	second, err := f.join(name, name, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	if err != nil {
		return err
	}
	defer second.Close()
	if err := holds(second, 1); err != nil {
		return err
	}
	if err := check.Same(fmt.Sprint(second.Assigned()), fmt.Sprint(first.lost), "what the first lost"); err != nil {
		return err
	}
	return check.Same(2, len(first.Assigned()), "what the first kept")
}

func holds(m *member, count int) error {
	return check.Until(fmt.Sprintf("the member holds %d partitions", count), func() (bool, string) {
		return len(m.Assigned()) == count, fmt.Sprint("it holds ", m.Assigned())
	})
}

// static: a member with an instance id goes and comes back, and the other is not disturbed.
func (f *franz) static(name string) error {
	if err := f.CreateTopic(name, 3); err != nil {
		return err
	}
	join := func(instance string) (*member, error) {
		return f.join(name, name, kgo.InstanceID(instance), kgo.Balancers(kgo.RangeBalancer()))
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
		return len(first.Assigned()) > 0 && len(second.Assigned()) > 0 &&
			len(first.Assigned())+len(second.Assigned()) == 3, fmt.Sprint(first.Assigned(), second.Assigned())
	}); err != nil {
		return err
	}
	before, held := len(first.lost), second.Assigned()
	_, generation := first.client.GroupMetadata()
	second.Close() // a static member does not say that it leaves
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
	_, after := first.client.GroupMetadata()
	if err := check.Same(generation, after, "generation"); err != nil {
		return err
	}
	return check.Same(before, len(first.lost), "partitions the other lost")
}

func (f *franz) lag(group string) error {
	ctx, cancel := within()
	defer cancel()
	lags, err := f.admin.Lag(ctx, group)
	if err != nil {
		return err
	}
	if err := lags.Error(); err != nil {
		return err
	}
	return check.Same(int64(60+59+58), lags[group].Lag.Total(), "lag")
}

// remove: the admin client removes a member of a group.
func (f *franz) remove(name string) error {
	if err := f.CreateTopic(name, 3); err != nil {
		return err
	}
	m, err := f.join(name, name, kgo.InstanceID("removed"), kgo.Balancers(kgo.RangeBalancer()))
	if err != nil {
		return err
	}
	defer m.Close()
	if err := holds(m, 3); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), check.Wait)
	defer cancel()
	m.Close() // it stays in the group: static
	described, err := f.describe(name)
	if err != nil {
		return err
	}
	if err := check.Same(1, len(described.Members), "members before"); err != nil {
		return err
	}
	left, err := f.admin.LeaveGroup(ctx, kadm.LeaveGroup(name).InstanceIDs("removed"))
	if err != nil {
		return err
	}
	if err := left.Error(); err != nil {
		return err
	}
	described, err = f.describe(name)
	if err != nil {
		return err
	}
	return check.Same("Empty 0", fmt.Sprintf("%s %d", described.State, len(described.Members)), "the group")
}
