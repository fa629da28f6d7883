//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A crowd is visitors that come and go, each of whom waits for an answer before the next question.
type crowd struct {
	base   string
	client *http.Client
	quit   chan struct{}
	all    sync.WaitGroup

	served, refused atomic.Int64
	mu              sync.Mutex
	failed          int64
	reasons         []string // of the first failures
}

func newCrowd(base string) *crowd {
	return &crowd{
		base: base, quit: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: patience},
	}
}

// come lets visitors in. Every fourth asks for what takes long, so that requests run whenever a migration is called for.
func (c *crowd) come(ctx context.Context, visitors int) {
	for n := range visitors {
		c.all.Go(func() {
			for visit := 0; ; visit++ {
				select {
				case <-c.quit:
					return
				case <-ctx.Done():
					return
				default:
				}
				c.visit(ctx, n%4 == 0, visit)
			}
		})
	}
}

// leave returns when all have left, with the answers that they waited for.
func (c *crowd) leave() {
	close(c.quit)
	c.all.Wait()
	c.client.CloseIdleConnections()
}

// gather returns once a crowd was served.
func (c *crowd) gather(ctx context.Context) error {
	const crowd = 100
	enough := c.served.Load() + crowd
	bounded, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the site is open, and visitors are not served"))
	defer cancel()
	for c.served.Load() < enough {
		select {
		case <-bounded.Done():
			return context.Cause(bounded)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// pause is before the next question of who was not served: being refused takes no time, and without a pause they would
// ask all the more.
const pause = 50 * time.Millisecond

// visit asks once.
func (c *crowd) visit(ctx context.Context, long bool, visit int) {
	method, path, body := http.MethodGet, fmt.Sprintf("/slow?d=%dms", 5+rand.IntN(60)), ""
	switch {
	case long:
		path = fmt.Sprintf("/slow?d=%dms", 500+rand.IntN(1500))
	case visit%10 == 9:
		method, path, body = http.MethodPost, "/api/orders", `{"item":"lamp"}`
	}
	status, mode, err := c.ask(ctx, method, path, body)
	switch {
	case ctx.Err() != nil: // it was this program that gave up
	case err == nil && (status == http.StatusOK || status == http.StatusCreated):
		c.served.Add(1)
	case err == nil && status == http.StatusServiceUnavailable && mode != "":
		c.refused.Add(1)
		time.Sleep(pause)
	default:
		time.Sleep(pause)
		c.fail(fmt.Sprintf("%s %s: status %d, Maintenance-Mode %q, error %v", method, path, status, mode, err))
	}
}

func (c *crowd) ask(ctx context.Context, method, path, body string) (status int, mode string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header.Get("Maintenance-Mode"), err
}

func (c *crowd) fail(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed++; len(c.reasons) < 5 {
		c.reasons = append(c.reasons, reason)
	}
}
