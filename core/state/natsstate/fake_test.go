package natsstate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// A fake is a NATS server that answers as a test wants: what real ones do at moments that no test can choose.
type fake struct {
	addr   string
	answer func(subject string, data string) string

	mu    sync.Mutex
	asked []string // the subjects, in order
}

// What a fake may answer in place of a message.
const (
	silence = "" // nothing
	nobody  = "503"
	hangUp  = "-"     // the connection ends
	refusal = "-ERR " // and what follows; the connection stays
)

// serve starts a fake, which ends with the test.
func serve(t *testing.T, answer func(subject, data string) string) *fake {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{addr: listener.Addr().String(), answer: answer}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { f.talk(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); all.Wait() })
	return f
}

func (f *fake) talk(conn net.Conn) {
	defer conn.Close()
	fmt.Fprint(conn, `INFO {"server_id":"fake","version":"2.15.2","proto":1,"headers":true,"max_payload":1048576}`+"\r\n")
	subscribed := make(map[string]string) // the ids of subscriptions by their subjects
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		switch words[0] {
		case "PING":
			fmt.Fprint(conn, "PONG\r\n")
		case "SUB":
			subscribed[words[1]] = words[2]
		case "PUB", "HPUB":
			size, _ := strconv.Atoi(words[len(words)-1])
			data := make([]byte, size+2)
			if _, err := io.ReadFull(in, data); err != nil {
				return
			}
			reply := words[2]
			inbox := reply[:strings.LastIndexByte(reply, '.')] + ".*"
			f.mu.Lock()
			f.asked = append(f.asked, words[1])
			f.mu.Unlock()
			switch text := f.answer(words[1], string(data[:size])); {
			case text == silence:
			case text == hangUp:
				return
			case strings.HasPrefix(text, refusal):
				fmt.Fprint(conn, text+"\r\n")
			case text == nobody:
				fmt.Fprintf(conn, "HMSG %s %s 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", reply, subscribed[inbox])
			default:
				fmt.Fprintf(conn, "MSG %s %s %d\r\n%s\r\n", reply, subscribed[inbox], len(text), text)
			}
		}
	}
}

// count returns how often a subject was asked that begins so.
func (f *fake) count(prefix string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, subject := range f.asked {
		if strings.HasPrefix(subject, prefix) {
			n++
		}
	}
	return n
}

// The answers of a bucket that is as it should be.
const (
	goodBucket = `{"config":{"name":"KV_recess","subjects":["$KV.recess.>"],"max_msgs_per_subject":1,"discard":"new"}}`
	stored     = `{"stream":"KV_recess","seq":6}`
)

// numbered is the answer to a read: the document "x" is this message of the stream.
func numbered(seq int) string { return fmt.Sprintf(`{"message":{"seq":%d,"data":"eA=="}}`, seq) }

// answers is a fake's: the bucket is there, reads and saves are answered in turn; the last answers stay.
func answers(reads, saves []string) func(subject, data string) string {
	var mu sync.Mutex
	next := func(list *[]string) string {
		mu.Lock()
		defer mu.Unlock()
		first := (*list)[0]
		if len(*list) > 1 {
			*list = (*list)[1:]
		}
		return first
	}
	return func(subject, _ string) string {
		switch {
		case strings.HasPrefix(subject, "$JS.API.STREAM.INFO."):
			return goodBucket
		case strings.HasPrefix(subject, "$JS.API.STREAM.MSG.GET."):
			return next(&reads)
		case strings.HasPrefix(subject, "$KV."):
			return next(&saves)
		}
		return nobody
	}
}

func openAt(t *testing.T, f *fake, query string) *Backend {
	t.Helper()
	b, err := state.Open(t.Context(), "nats://"+f.addr+query)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b.(*Backend)
}

const (
	reads = "$JS.API.STREAM.MSG.GET."
	saves = "$KV."
)

var five, six = driver.Numbered(5, []byte("x")), driver.Numbered(6, []byte("y"))

// TestAReadWaitsForALeaderThatIsBehind: a replica has told of the sixth message, and the leader does not know it yet.
func TestAReadWaitsForALeaderThatIsBehind(t *testing.T) {
	f := serve(t, answers([]string{numbered(5), numbered(5), numbered(6)}, []string{silence}))
	b := openAt(t, f, "")
	b.store.heard(6)
	doc, err := state.Read(t.Context(), b)
	if err != nil || doc.Rev != driver.Numbered(6, []byte("x")) {
		t.Errorf("Read: revision %q, %v", doc.Rev, err)
	}
}

// TestAStreamThatIsRolledBackIsBelievedInTheEnd: nobody knows the sixth message any more.
func TestAStreamThatIsRolledBackIsBelievedInTheEnd(t *testing.T) {
	f := serve(t, answers([]string{numbered(5)}, []string{silence}))
	b := openAt(t, f, "")
	b.store.heard(6)
	for range 3 {
		if doc, err := state.Read(t.Context(), b); err != nil || doc.Rev != five {
			t.Errorf("Read: revision %q, %v", doc.Rev, err)
		}
	}
	if once := f.count(reads); once < 10 {
		t.Errorf("the leader was asked %d times: it had no time to catch up", once)
	}
	before := f.count(reads)
	if _, err := state.Read(t.Context(), b); err != nil || f.count(reads) != before+1 {
		t.Errorf("what was believed once is doubted again: %v", err)
	}
}

// TestAStreamThatIsRolledBackIsBelievedBeforeTheCallersTimeIsUp: an engine looks for no longer than its poll interval.
func TestAStreamThatIsRolledBackIsBelievedBeforeTheCallersTimeIsUp(t *testing.T) {
	f := serve(t, answers([]string{numbered(5)}, []string{silence}))
	b := openAt(t, f, "")
	if _, err := state.Read(t.Context(), b); err != nil { // connected
		t.Fatal(err)
	}
	b.store.heard(6)
	ctx, cancel := context.WithTimeout(t.Context(), catchUp)
	defer cancel()
	if doc, err := state.Read(ctx, b); err != nil || doc.Rev != five {
		t.Errorf("Read: revision %q, %v", doc.Rev, err)
	}
}

// TestASaveThatMeetsAnotherWaitsForItsOutcome: a cluster refuses a second save while it stores a first, which nobody can
// see until it is stored.
func TestASaveThatMeetsAnotherWaitsForItsOutcome(t *testing.T) {
	const busy = `{"stream":"KV_recess","error":{"code":400,"err_code":10164,"description":"wrong last sequence"}}`
	t.Run("and is told of the conflict when the other is stored", func(t *testing.T) {
		f := serve(t, answers([]string{numbered(5), numbered(5), numbered(6)}, []string{busy}))
		if _, err := openAt(t, f, "").Save(t.Context(), five, []byte("y")); !errors.Is(err, state.ErrConflict) {
			t.Errorf("Save: %v", err)
		}
	})
	t.Run("and comes through when the other is not", func(t *testing.T) {
		f := serve(t, answers([]string{numbered(5)}, []string{busy, busy, stored}))
		if rev, err := openAt(t, f, "").Save(t.Context(), five, []byte("y")); err != nil || rev != six {
			t.Errorf("Save: %q, %v", rev, err)
		}
	})
	t.Run("but not for ever", func(t *testing.T) {
		f := serve(t, answers([]string{numbered(5)}, []string{busy}))
		if _, err := openAt(t, f, "?timeout=300ms").Save(t.Context(), five, []byte("y")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Save: %v", err)
		}
	})
}

// TestASaveIsSentOnce: whether a save was done over a connection that was lost is for the caller to find out.
func TestASaveIsSentOnce(t *testing.T) {
	for name, answer := range map[string]string{"the connection is lost": hangUp, "no answer comes": silence} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, answers([]string{numbered(5)}, []string{answer, stored}))
			_, err := openAt(t, f, "?timeout=500ms").Save(t.Context(), five, []byte("y"))
			if err == nil || errors.Is(err, state.ErrConflict) || !strings.Contains(err.Error(), "whether it was stored is not known") {
				t.Errorf("Save: %v", err)
			}
			if n := f.count(saves); n != 1 {
				t.Errorf("it was sent %d times", n)
			}
		})
	}
}

// TestASaveThatIsLeftWhileItIsUnderWayIsInDoubt: its caller goes, or nobody can say in time that the link was lost.
func TestASaveThatIsLeftWhileItIsUnderWayIsInDoubt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := serve(t, answers([]string{numbered(5)}, []string{silence}))
	scripted := f.answer
	f.answer = func(subject, data string) string {
		if strings.HasPrefix(subject, saves) {
			cancel()
		}
		return scripted(subject, data)
	}
	_, err := openAt(t, f, "").store.Save(ctx, five, []byte("y"))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "whether it was stored is not known") {
		t.Errorf("Save: %v", err)
	}
	_, err = openAt(t, f, "").store.Save(ctx, five, []byte("y")) // of which nothing is sent
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "not known") {
		t.Errorf("Save, called off before: %v", err)
	}
}

// TestAnOldTroubleIsForgottenOnceTheLinkIsThere, and not told of the next one.
func TestAnOldTroubleIsForgottenOnceTheLinkIsThere(t *testing.T) {
	f := serve(t, answers([]string{numbered(5)}, []string{silence}))
	b := openAt(t, f, "")
	b.store.link.troubled(errors.New("an old story"))
	ended, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := b.store.link.unconnected(ended, nil); !strings.Contains(err.Error(), "an old story") {
		t.Fatal(err)
	}
	if _, err := state.Read(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for told := ""; ; told = b.store.link.unconnected(ended, nil).Error() { // nats.go tells of the connection in its own time
		if told != "" && !strings.Contains(told, "an old story") {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(told)
		}
		runtime.Gosched()
	}
}

func TestAReadIsRepeatedOverAnotherConnection(t *testing.T) {
	f := serve(t, answers([]string{hangUp, numbered(5)}, []string{silence}))
	if doc, err := state.Read(t.Context(), openAt(t, f, "")); err != nil || doc.Rev != five {
		t.Errorf("Read: revision %q, %v", doc.Rev, err)
	}
}

func TestAGapBetweenLeadersIsBridged(t *testing.T) {
	f := serve(t, answers([]string{nobody, nobody, numbered(5)}, []string{nobody, nobody, stored}))
	if rev, err := openAt(t, f, "").Save(t.Context(), five, []byte("y")); err != nil || rev != six {
		t.Errorf("Save: %q, %v", rev, err)
	}
	f = serve(t, answers([]string{nobody}, []string{nobody}))
	if _, err := state.Read(t.Context(), openAt(t, f, "?timeout=1m")); !errors.Is(err, nats.ErrNoResponders) || f.count(reads) != attempts {
		t.Errorf("Read: %v, after %d attempts", err, f.count(reads))
	}
}

// TestAServerThatEndsTheClientGetsAnother: nats.go closes itself for good when a server says what it does not expect.
func TestAServerThatEndsTheClientGetsAnother(t *testing.T) {
	f := serve(t, answers([]string{refusal + "'Whatever'", numbered(5)}, []string{silence}))
	b := openAt(t, f, "?timeout=500ms")
	deadline := time.Now().Add(time.Minute)
	for {
		doc, err := state.Read(t.Context(), b)
		if err == nil {
			if doc.Rev != five {
				t.Errorf("Read: revision %q", doc.Rev)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("Read: %v", err)
		}
	}
}

func TestAnswersThatMakeNoSenseAreErrors(t *testing.T) {
	for _, c := range []struct{ read, save, want string }{
		{"x", stored, "makes no sense"},
		{numbered(5), "x", "makes no sense"},
		{numbered(5), "{}", "somebody who is not JetStream answers"},
		{numbered(5), `{"stream":"KV_recess"}`, "somebody who is not JetStream answers"},
	} {
		f := serve(t, answers([]string{c.read}, []string{c.save}))
		if _, err := openAt(t, f, "").Save(t.Context(), five, []byte("y")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v, want %q", c.read, c.save, err, c.want)
		}
	}
}

// TestAPermissionThatIsGivenLaterCounts: the client remembers the last thing that the server refused.
func TestAPermissionThatIsGivenLaterCounts(t *testing.T) {
	const violation = refusal + `'Permissions Violation for Publish to "$KV.recess.recess"'`
	f := serve(t, answers([]string{numbered(5)}, []string{violation, stored}))
	b := openAt(t, f, "?timeout=1m")
	if _, err := b.Save(t.Context(), five, []byte("y")); !errors.Is(err, state.ErrReadOnly) {
		t.Errorf("Save: %v", err)
	}
	if rev, err := b.Save(t.Context(), five, []byte("y")); err != nil || rev != six {
		t.Errorf("Save: %q, %v", rev, err)
	}
}
