package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// mailbox returns the consumer of the queue of mails at a NATS server, or at one inside this process, which then also
// gets a mail every now and then. end ends all that.
func mailbox(ctx context.Context, url string) (mails jetstream.Consumer, end func(), err error) {
	var ends []func()
	end = func() {
		for i := len(ends) - 1; i >= 0; i-- {
			ends[i]()
		}
	}
	defer func() {
		if err != nil {
			end()
		}
	}()
	inside := url == ""
	if inside {
		var stop func()
		if url, stop, err = embedded(); err != nil {
			return nil, nil, err
		}
		ends = append(ends, stop)
	}
	conn, err := nats.Connect(url)
	if err != nil {
		return nil, nil, err
	}
	ends = append(ends, conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, nil, err
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "MAILS", Subjects: []string{"mails"}, Retention: jetstream.WorkQueuePolicy})
	if err != nil {
		return nil, nil, err
	}
	mails, err = stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		return nil, nil, err
	}
	if inside {
		ctx, cancel := context.WithCancel(ctx)
		written := make(chan struct{})
		go func() { defer close(written); write(ctx, js) }()
		ends = append(ends, func() { cancel(); <-written })
	}
	return mails, end, nil
}

// embedded starts a server with JetStream in this process.
func embedded() (url string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "recess-worker-")
	if err != nil {
		return "", nil, err
	}
	s, err := server.NewServer(&server.Options{JetStream: true, StoreDir: dir, Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true})
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.Start()
	stop = func() {
		s.Shutdown()
		s.WaitForShutdown()
		_ = os.RemoveAll(dir) // it is the system's to clear otherwise
	}
	if !s.ReadyForConnections(10 * time.Second) {
		stop()
		return "", nil, errors.New("the NATS server inside does not get ready")
	}
	return s.ClientURL(), stop, nil
}

// write writes a mail every now and then.
func write(ctx context.Context, js jetstream.JetStream) {
	for n := 1; ctx.Err() == nil; n++ {
		_, _ = js.Publish(ctx, "mails", fmt.Appendf(nil, "mail %d", n)) // a server that ends takes none
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}
