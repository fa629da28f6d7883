package natsstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A session is a client for as long as its connection stays the same.
type session struct {
	link *link
	conn *nats.Conn
	down chan nats.Status // tells when the connection is lost
}

func (s *session) release() { s.conn.RemoveStatusListener(s.down) }

// errLost says that the connection broke during a call. What became of what was sent is not known.
var errLost = errors.New("the connection to the server was lost")

// request sends a message and returns the answer.
func (s *session) request(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	answers, err := s.requests(ctx, m)
	if err != nil {
		return nil, err
	}
	return answers[0], nil
}

// requests sends messages, all at once, and returns the answers in the same order. A message that the user may not send
// is an error at once: the server says so before it answers the ping that follows the message.
func (s *session) requests(ctx context.Context, messages ...*nats.Msg) ([]*nats.Msg, error) {
	before := s.conn.LastError() // a permission that lacks can be said as soon as there is a subscription
	arrived := make(chan *nats.Msg, len(messages))
	inbox := s.conn.NewInbox() + ".*"
	subscription, err := s.conn.ChanSubscribe(inbox, arrived)
	if err != nil {
		return nil, s.broken(err)
	}
	defer func() { _ = subscription.Unsubscribe() }() // it fails where it is of no use any more
	if err := s.send(ctx, inbox, messages, before); err != nil {
		return nil, err
	}
	answers := make([]*nats.Msg, len(messages))
	for owed := len(messages); owed > 0; {
		select {
		case answer := <-arrived:
			if len(answer.Data) == 0 && answer.Header.Get("Status") == "503" {
				return nil, nats.ErrNoResponders
			}
			i, err := strconv.Atoi(answer.Subject[len(inbox)-1:])
			if err == nil && i >= 0 && i < len(answers) && answers[i] == nil { // only the first counts
				answers[i] = answer
				owed--
			}
		case <-s.down:
			return nil, errLost
		case <-ctx.Done():
			return nil, errSilent{ctx.Err()}
		}
	}
	return answers, nil
}

// send publishes messages, the i-th with the i-th subject of the inbox for its answer, and returns when the server has
// taken them. before is the client's last error from before all that.
func (s *session) send(ctx context.Context, inbox string, messages []*nats.Msg, before error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, m := range messages {
		m.Reply = inbox[:len(inbox)-1] + strconv.Itoa(i)
		if err := s.conn.PublishMsg(m); err != nil {
			return s.broken(err)
		}
	}
	if err := s.probe(ctx); err != nil {
		return err
	}
	last := s.conn.LastError()
	if errors.Is(last, before) || !errors.Is(last, nats.ErrPermissionViolation) {
		return nil
	}
	if strings.Contains(last.Error(), `"`+inbox+`"`) {
		return forbidden{inbox, true}
	}
	for _, m := range messages {
		if strings.Contains(last.Error(), `"`+m.Subject+`"`) {
			return forbidden{m.Subject, false}
		}
	}
	return nil
}

// ping returns nil once the server has answered on this connection.
func (s *session) ping(ctx context.Context) error {
	switch err := s.conn.FlushWithContext(ctx); {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the server does not answer: %w", err)
	case err != nil:
		return s.broken(err)
	}
	select {
	case <-s.down:
		return errLost // and the answer came over another one
	default:
		return nil
	}
}

// probe is ping, but for a client of the backend's own that gets no answer in time: it takes another connection.
func (s *session) probe(ctx context.Context) error {
	if s.link.dial == nil {
		return s.ping(ctx)
	}
	bounded, cancel := context.WithTimeout(ctx, s.link.patience)
	defer cancel()
	err := s.ping(bounded)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		s.doubt()
		return errLost
	}
	return err
}

// doubt replaces a connection on which nothing comes any more, if the client is the backend's own.
func (s *session) doubt() {
	if s.link.dial != nil {
		_ = s.conn.ForceReconnect() // it fails only once the client is closed
	}
}

// broken explains an error of the client: while it is not connected, it has many.
func (s *session) broken(err error) error {
	select {
	case <-s.down:
		return errLost
	default:
	}
	if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrReconnectBufExceeded) {
		return errLost
	}
	return err
}

const (
	// attempts is how often a request is made that nobody is there for: a leader that changes leaves a short gap.
	attempts = 3
	// attemptEvery is how long it waits in between.
	attemptEvery = 250 * time.Millisecond
)

// insist makes a request until somebody is there for it.
func (s *session) insist(ctx context.Context, m *nats.Msg) (answer *nats.Msg, err error) {
	for attempt := 1; ; attempt++ {
		answer, err = s.request(ctx, m)
		if attempt == attempts || !errors.Is(err, nats.ErrNoResponders) {
			return answer, err
		}
		select {
		case <-time.After(attemptEvery):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// call asks JetStream's API. An error of the server is a *jetstream.APIError.
func (s *session) call(ctx context.Context, subject string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	m, err := s.insist(ctx, &nats.Msg{Subject: subject, Data: body})
	if err != nil {
		return err
	}
	return decode(m.Data, answer)
}

// put stores a message in a stream, and returns its number there.
func (s *session) put(ctx context.Context, m *nats.Msg) (uint64, error) {
	answer, err := s.insist(ctx, m)
	if err != nil {
		return 0, err
	}
	var ack struct {
		Stream string `json:"stream"`
		Seq    uint64 `json:"seq"`
	}
	if err := decode(answer.Data, &ack); err != nil {
		return 0, err
	}
	if ack.Stream == "" || ack.Seq == 0 {
		return 0, fmt.Errorf("somebody who is not JetStream answers at %s", m.Subject)
	}
	return ack.Seq, nil
}

// decode reads an answer of JetStream, or the error that it holds.
func decode(data []byte, answer any) error {
	var failure struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(data, &failure); err != nil {
		return fmt.Errorf("the server's answer makes no sense: %w", err)
	}
	if failure.Error != nil {
		return failure.Error
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("the server's answer makes no sense: %w", err)
	}
	return nil
}

const (
	firstDelay = 500 * time.Millisecond
	maxDelay   = time.Second
)

// reconnectDelay is how long the client waits after it has tried all servers n times: at random, so that a fleet does
// not come back in step, and never so long that it costs a poll interval.
func reconnectDelay(n int) time.Duration {
	return rand.N(min(firstDelay<<min(n-1, 10), maxDelay)) + time.Millisecond
}
