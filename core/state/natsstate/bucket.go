package natsstate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// streamInfo is what the server says of a stream.
type streamInfo struct {
	Config jetstream.StreamConfig `json:"config"`
	Time   time.Time              `json:"ts"` // the server's, of its answer
}

func (s *store) info(ctx context.Context, on *session, stream string) (info streamInfo, err error) {
	err = on.call(ctx, s.names.api+"STREAM.INFO."+stream, struct{}{}, &info)
	return info, err
}

// check asks once for each connection whether the bucket is there and can keep the document.
func (s *store) check(ctx context.Context, on *session) error {
	if s.checked.Load() {
		return nil
	}
	info, err := s.info(ctx, on, s.names.stream)
	if err != nil {
		return s.gone(err)
	}
	if err := fit(info.Config, s.names.bucket); err != nil {
		return err
	}
	s.known.Store(true)
	s.checked.Store(true)
	return nil
}

// gone explains the error about the bucket of the document. If that is not there, what was known of it is void.
func (s *store) gone(err error) error {
	if code(err) == jetstream.JSErrCodeStreamNotFound {
		s.checked.Store(false)
		s.newest.Store(0)
	}
	return missing(err, s.names.bucket)
}

// missing explains the error about a bucket, if it is that there is none.
func missing(err error, bucket string) error {
	if code(err) == jetstream.JSErrCodeStreamNotFound {
		return noBucket{bucket}
	}
	return err
}

// fit returns why a stream cannot keep the document.
func fit(c jetstream.StreamConfig, bucket string) error {
	switch subjects := "$KV." + bucket + ".>"; {
	case c.Mirror != nil:
		return fmt.Errorf("the bucket %s is a mirror, which is always a little behind and cannot be written: use the bucket that it mirrors, with domain=NAME if that is elsewhere", bucket)
	case c.MaxMsgsPerSubject < 1 || !slices.Contains(c.Subjects, subjects) || c.Retention != jetstream.LimitsPolicy || c.NoAck:
		return fmt.Errorf("the stream %s is no key-value bucket: choose another name for the bucket, or remove the stream", c.Name)
	case c.MaxAge > 0:
		return fmt.Errorf("the bucket %s forgets its keys after %s, and would forget the state: take the bucket's TTL away", bucket, c.MaxAge)
	case c.Discard == jetstream.DiscardOld && (c.MaxBytes > 0 || c.MaxMsgs > 0):
		return fmt.Errorf("the bucket %s forgets its oldest keys when it is full, and would forget the state: set its discard policy to new", bucket)
	}
	return nil
}

// fitInstances returns why a stream cannot keep instances.
func fitInstances(c jetstream.StreamConfig, bucket string) error {
	if err := fit(c, bucket); err != nil {
		return err
	}
	if !c.AllowMsgTTL {
		return fmt.Errorf("the bucket %s does not take keys with a TTL of their own: remove it and run recess migrate (nats-server 2.11 is needed)", bucket)
	}
	return nil
}

// migrate makes the buckets that are not there.
func (s *store) migrate(ctx context.Context) error {
	_, err := twice(ctx, s.link, func(ctx context.Context, on *session) (struct{}, error) {
		if err := s.ensure(ctx, on, s.document(), s.names.bucket, fit); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.ensure(ctx, on, s.instances(), s.names.instances, fitInstances)
	})
	return explain(err)
}

// ensure makes a bucket unless it is there, and returns why it cannot be used.
func (s *store) ensure(ctx context.Context, on *session, c jetstream.StreamConfig, bucket string, fit func(jetstream.StreamConfig, string) error) error {
	info, err := s.info(ctx, on, c.Name)
	if code(err) == jetstream.JSErrCodeStreamNotFound {
		err = on.call(ctx, s.names.api+"STREAM.CREATE."+c.Name, c, &info)
		if code(err) == jetstream.JSErrCodeStreamNameInUse { // somebody else was faster
			info, err = s.info(ctx, on, c.Name)
		}
	}
	if err != nil {
		return fmt.Errorf("the bucket %s: %w", bucket, err)
	}
	return fit(info.Config, bucket)
}

// history is how many documents the bucket keeps, for "nats kv history".
const history = 10

// document is the stream of the bucket that keeps the document.
func (s *store) document() jetstream.StreamConfig {
	c := s.bucket(s.names.bucket)
	c.Description = "Recess: the maintenance state"
	c.MaxMsgsPerSubject = history
	// A bucket that is made anew goes on counting where none has counted before, so that no revision comes twice.
	c.FirstSeq = uint64(time.Now().UnixMilli())
	return c
}

// leastMoment is a number that no bucket gets to that counts from 1, and that every moment has passed: 2001, in milliseconds.
const leastMoment = 1e12

// instances is the stream of the bucket that keeps who follows the document.
func (s *store) instances() jetstream.StreamConfig {
	c := s.bucket(s.names.instances)
	c.Description = "Recess: the instances that follow the maintenance state"
	c.MaxMsgsPerSubject = 1
	c.AllowMsgTTL = true
	return c
}

// bucket is a stream as NATS' own tool and clients make it for a key-value bucket.
func (s *store) bucket(name string) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: "KV_" + name, Subjects: []string{"$KV." + name + ".>"}, Replicas: s.config.Replicas,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1, Discard: jetstream.DiscardNew,
		AllowRollup: true, DenyDelete: true, AllowDirect: true, Duplicates: 2 * time.Minute,
	}
	if s.config.Memory {
		c.Storage = jetstream.MemoryStorage
	}
	return c
}

// noBucket is the error about a bucket that is not there.
type noBucket struct{ name string }

func (e noBucket) Error() string {
	return fmt.Sprintf("there is no bucket %s: make it with recess migrate, or correct its name", e.name)
}

// code returns JetStream's code of an error, 0 if it is none of JetStream's.
func code(err error) jetstream.ErrorCode {
	var failure *jetstream.APIError
	if errors.As(err, &failure) {
		return failure.ErrorCode
	}
	return 0
}
