package natsstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/state"
)

// Announce implements [state.Presence], on the clock of the server that leads the bucket of instances. That server counts
// in seconds: a ttl is rounded up.
func (b *Backend) Announce(ctx context.Context, id string, data []byte, ttl time.Duration) (at time.Time, err error) {
	err = b.Call(ctx, "announce", func(ctx context.Context) error {
		if err := state.CheckAnnouncement(id, data, ttl); err != nil {
			return err
		}
		seconds := (ttl + time.Second - 1) / time.Second
		at, err = b.store.announce(ctx, id, slices.Clone(data), nats.Header{
			jetstream.MsgTTLHeader: {fmt.Sprintf("%ds", seconds)},
			jetstream.MsgRollup:    {jetstream.MsgRollupSubject},
		})
		return err
	})
	return at, err
}

// Withdraw implements [state.Presence].
func (b *Backend) Withdraw(ctx context.Context, id string) error {
	return b.Call(ctx, "withdraw", func(ctx context.Context) error {
		if err := state.CheckAnnouncement(id, nil, state.MinTTL); err != nil {
			return err
		}
		_, err := b.store.announce(ctx, id, nil, nats.Header{
			"KV-Operation":         {"PURGE"},
			jetstream.MsgTTLHeader: {"1s"}, // the marker is not to outlast the instance
			jetstream.MsgRollup:    {jetstream.MsgRollupSubject},
		})
		return err
	})
}

// announce stores a message about an instance in place of the one before, and returns the server's time.
func (s *store) announce(ctx context.Context, id string, data []byte, header nats.Header) (time.Time, error) {
	at, err := twice(ctx, s.link, func(ctx context.Context, on *session) (time.Time, error) {
		name := instanceToken(id)
		m := &nats.Msg{Subject: s.names.announce + name, Data: data, Header: header}
		if _, err := on.put(ctx, m); err != nil && !errors.Is(err, nats.ErrNoResponders) {
			return time.Time{}, anyName(storing(err, len(data), on.conn.MaxPayload()), name)
		} else if err != nil {
			_, why := s.info(ctx, on, s.names.instancesStream)
			return time.Time{}, missing(cmp.Or(why, err), s.names.instances)
		}
		info, err := s.info(ctx, on, s.names.instancesStream)
		if err != nil {
			return time.Time{}, nil // it is announced all the same
		}
		return info.Time, fitInstances(info.Config, s.names.instances)
	})
	return at, explain(err)
}

// atOnce is how many announcements are asked for at a time. Servers cut clients off that have more than 64 MiB to read.
const atOnce = 32

// Instances implements [state.Presence].
func (b *Backend) Instances(ctx context.Context) (instances []state.Instance, err error) {
	err = b.Call(ctx, "instances", func(ctx context.Context) error {
		instances, err = twice(ctx, b.store.link, b.store.announced)
		return explain(err)
	})
	if err != nil {
		return nil, err
	}
	return instances, nil
}

// announced asks the leader which instances there are, and then what each says of itself. A consumer could tell both at
// once, but would be made at a replica that may be behind.
func (s *store) announced(ctx context.Context, on *session) (instances []state.Instance, err error) {
	subjects, err := s.announcedAt(ctx, on)
	if err != nil {
		return nil, missing(err, s.names.instances)
	}
	for some := range slices.Chunk(subjects, atOnce) {
		var questions []*nats.Msg
		for _, subject := range some {
			questions = append(questions, s.lastOf(s.names.instancesStream, subject))
		}
		answers, err := on.requests(ctx, questions...)
		if err != nil {
			return nil, err
		}
		for i, answer := range answers {
			switch found, err := entryOf(answer.Data); {
			case err != nil:
				return nil, missing(err, s.names.instances)
			case found.doc.Rev != state.None: // else it has just gone
				id := instanceID(some[i][len(s.names.instancesPrefix):])
				instances = append(instances, state.Instance{ID: id, Data: found.doc.Data})
			}
		}
	}
	slices.SortFunc(instances, func(a, b state.Instance) int { return strings.Compare(a.ID, b.ID) })
	return instances, nil
}

// announcedAt returns the subjects of the instances. The server tells so many at a time.
func (s *store) announcedAt(ctx context.Context, on *session) (subjects []string, err error) {
	for {
		var answer struct {
			Total int `json:"total"`
			State struct {
				Subjects map[string]uint64 `json:"subjects"`
			} `json:"state"`
		}
		request := struct {
			Filter string `json:"subjects_filter"`
			Offset int    `json:"offset"`
		}{s.names.instancesPrefix + "*", len(subjects)}
		if err := on.call(ctx, s.names.api+"STREAM.INFO."+s.names.instancesStream, request, &answer); err != nil {
			return nil, err
		}
		subjects = slices.AppendSeq(subjects, maps.Keys(answer.State.Subjects))
		if len(subjects) >= answer.Total || len(answer.State.Subjects) == 0 {
			return subjects, nil
		}
	}
}
