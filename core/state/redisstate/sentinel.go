package redisstate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// sentinels know where the master is. They are asked for each new connection, all at once: one that is frozen must not
// keep the others from being heard. go-redis has its own way, which waits for a frozen sentinel until the caller's time is
// up, tells stderr of each of its steps, and keeps a goroutine and a subscription.
type sentinels struct {
	own     *dialer
	name    string
	addrs   []string
	options redis.Options // for a sentinel; without Addr
}

// dial is the Dialer of a client of the master.
func (s *sentinels) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	addr, err := s.find(ctx)
	if err != nil {
		return stillborn{err}, nil
	}
	return s.own.dial(ctx, network, addr)
}

// find returns the address of the master. It takes three quarters of the caller's time at most: what the sentinels that
// did answer have said must reach a caller who still listens.
func (s *sentinels) find(ctx context.Context) (string, error) {
	patience := s.options.ReadTimeout
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline))
	}
	ctx, cancel := context.WithTimeout(ctx, patience*3/4)
	defer cancel()
	type answer struct {
		addr string
		err  error
	}
	answers := make(chan answer, len(s.addrs))
	for _, sentinel := range s.addrs {
		go func() {
			addr, err := s.ask(ctx, sentinel)
			answers <- answer{addr, err}
		}()
	}
	var all error
	for range s.addrs {
		var a answer
		select {
		case a = <-answers:
		case <-ctx.Done():
			a.err = fmt.Errorf("a sentinel does not answer: %w", ctx.Err())
		}
		switch {
		case a.err == nil:
			return a.addr, nil
		case all == nil:
			all = a.err
		default:
			all = fmt.Errorf("%w; %w", all, a.err)
		}
	}
	return "", noConnection(all)
}

// ask asks one sentinel.
func (s *sentinels) ask(ctx context.Context, sentinel string) (string, error) {
	options := s.options
	options.Addr = sentinel
	client := redis.NewSentinelClient(&options)
	hangUp := context.AfterFunc(ctx, func() { _ = client.Close() })
	addr, err := client.GetMasterAddrByName(ctx, s.name).Result()
	if hangUp() {
		_ = client.Close()
	}
	switch {
	case errors.Is(err, redis.Nil):
		return "", fmt.Errorf("the sentinel %s knows no master of the name %q", sentinel, s.name)
	case redis.HasErrorPrefix(err, "NOAUTH"):
		return "", fmt.Errorf("the sentinel %s wants a password (?sentinel_password=PASSWORD): %w", sentinel, err)
	case redis.HasErrorPrefix(err, "WRONGPASS"):
		return "", fmt.Errorf("the sentinel %s refuses sentinel_username or sentinel_password: %w", sentinel, err)
	case redis.HasErrorPrefix(err, "unknown command"):
		return "", fmt.Errorf("%s is no sentinel: %w", sentinel, err)
	case err != nil:
		return "", fmt.Errorf("the sentinel %s: %w", sentinel, err)
	case len(addr) != 2:
		return "", fmt.Errorf("the sentinel %s: %w", sentinel, unexpected("SENTINEL get-master-addr-by-name", addr))
	}
	return net.JoinHostPort(addr[0], addr[1]), nil
}

// confirm is the OnConnect of a client of the master: sentinels may be behind, and what they call the master may have
// become a replica.
func (s *sentinels) confirm(ctx context.Context, c *redis.Conn) error {
	role := redis.NewSliceCmd(ctx, "role")
	if err := c.Process(ctx, role); err != nil {
		return err
	}
	if is := texts(role.Val()); len(is) == 0 || is[0] != "master" {
		return noConnection(fmt.Errorf("what the sentinels call the master of %q is a replica: a failover is under way", s.name))
	}
	return nil
}
