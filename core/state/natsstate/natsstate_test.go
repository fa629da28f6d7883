package natsstate

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

func TestInstancesHaveTokensOfTheirOwn(t *testing.T) {
	seen := make(map[string]string)
	for _, id := range []string{"a", "A", "a.b", "a-b", "a_b", ".", "..", "a.", ".a", "a..b", strings.Repeat(".", state.MaxInstance)} {
		token := instanceToken(id)
		if strings.ContainsAny(token, ".*> ") || token == "" {
			t.Errorf("%q becomes %q, which is no single token of a subject", id, token)
		}
		if other, twice := seen[token]; twice {
			t.Errorf("%q and %q share the token %q", id, other, token)
		}
		seen[token] = id
		if back := instanceID(token); back != id {
			t.Errorf("%q comes back as %q", id, back)
		}
	}
}

func TestADomainStandsBeforeEverythingThatIsPublished(t *testing.T) {
	plain, far := namesOf(Config{Bucket: "b", Key: "k"}), namesOf(Config{Bucket: "b", Key: "k", Domain: "hub"})
	for _, c := range []struct{ what, plain, far, want string }{
		{"api", plain.api, far.api, "$JS.API."},
		{"put", plain.put, far.put, "$KV.b.k"},
		{"announce", plain.announce, far.announce, "$KV.b-instances.k."},
	} {
		far := c.want
		if c.what == "api" {
			far = ""
		}
		if c.plain != c.want || c.far != "$JS.hub.API."+far {
			t.Errorf("%s: %q, and in the domain %q", c.what, c.plain, c.far)
		}
	}
	if plain.subject != far.subject || plain.instancesPrefix != far.instancesPrefix {
		t.Error("the domain is part of a key's subject in the stream")
	}
}

func TestReconnectsAreSpreadAndNeverFarApart(t *testing.T) {
	for n := range 100 {
		longest := time.Duration(0)
		for range 200 {
			d := reconnectDelay(n + 1)
			if d <= 0 || d > maxDelay+time.Millisecond || n == 0 && d > firstDelay+time.Millisecond {
				t.Fatalf("after %d rounds the client waits %v", n+1, d)
			}
			longest = max(longest, d)
		}
		if n > 5 && longest < maxDelay/2 {
			t.Errorf("after %d rounds the client waits %v at most: it is not spread", n+1, longest)
		}
	}
}

func TestAnAnswerIsReadForWhatItIs(t *testing.T) {
	message := func(header, data string) string {
		return fmt.Sprintf(`{"message":{"subject":"x","seq":7,"hdrs":%q,"data":%q,"time":"2026-01-01T00:00:00Z"}}`,
			base64.StdEncoding.EncodeToString([]byte(header)), base64.StdEncoding.EncodeToString([]byte(data)))
	}
	for _, c := range []struct {
		name, answer string
		seq          uint64
		text         string // of the document; "-" for none
		err          bool
	}{
		{"a document", message("", "text"), 7, "text", false},
		{"an empty document", `{"message":{"seq":7}}`, 7, "", false},
		{"a document with other headers", message("NATS/1.0\r\nX: y\r\n\r\n", "text"), 7, "text", false},
		{"deleted", message("NATS/1.0\r\nKV-Operation: DEL\r\n\r\n", ""), 7, "-", false},
		{"purged", message("NATS/1.0\r\nKV-Operation: PURGE\r\n\r\n", ""), 7, "-", false},
		{"expired", message("NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\n\r\n", ""), 7, "-", false},
		{"none", `{"error":{"code":404,"err_code":10037,"description":"no message found"}}`, 0, "-", false},
		{"another error", `{"error":{"code":404,"err_code":10059,"description":"stream not found"}}`, 0, "-", true},
		{"nonsense", `x`, 0, "-", true},
		{"nonsense in the header", message("x", "text"), 0, "-", true},
		{"nonsense in the message", `{"message":{"seq":-1}}`, 0, "-", true},
	} {
		found, err := entryOf([]byte(c.answer))
		if (err != nil) != c.err || found.seq != c.seq {
			t.Errorf("%s: number %d, %v", c.name, found.seq, err)
		}
		switch {
		case c.text == "-" && (found.doc.Rev != state.None || found.doc.Data != nil):
			t.Errorf("%s: a document %q", c.name, found.doc.Data)
		case c.text != "-" && (string(found.doc.Data) != c.text || found.doc.Data == nil || found.doc.Rev != driver.Numbered(7, []byte(c.text))):
			t.Errorf("%s: the document is %q, revision %q", c.name, found.doc.Data, found.doc.Rev)
		}
	}
}

func TestAHeartbeatShowsWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name, delivered, at string
		astray              bool
	}{
		{"nothing new", "3", "17", false},
		{"a message that did not arrive", "4", "18", true},
		{"a consumer that was made anew", "0", "17", true},
		{"and skipped something", "0", "18", true},
		{"a stream that was", "3", "2", true},
		{"nonsense", "x", "17", true},
		{"nothing", "", "", true},
	} {
		w := &watch{delivered: 3, at: 17}
		h := nats.Header{"Nats-Last-Consumer": {c.delivered}, "Nats-Last-Stream": {c.at}}
		if got := w.beat(h); got != c.astray {
			t.Errorf("%s: %v", c.name, got)
		}
		if again := w.beat(h); again && c.at != "" && c.delivered != "x" {
			t.Errorf("%s: the same heartbeat shows it twice", c.name)
		}
	}
}

func TestAMessageOfTheWatchIsADocumentOrAHint(t *testing.T) {
	message := func(h nats.Header, reply string) *nats.Msg {
		return &nats.Msg{Subject: "$KV.b.k", Reply: reply, Header: h, Data: []byte("text"), Sub: &nats.Subscription{}}
	}
	const ack = "$JS.ACK.KV_b.recess-x.1.42.5.1700000000000000000.0"
	for _, c := range []struct {
		name string
		m    *nats.Msg
		told bool
		rev  state.Rev
		err  string
	}{
		{"a document", message(nil, ack), true, driver.Numbered(42, []byte("text")), ""},
		{"a removal", message(nats.Header{"KV-Operation": {"DEL"}}, ack), true, state.None, ""},
		{"a heartbeat", message(nats.Header{"Status": {"100"}, "Nats-Last-Consumer": {"0"}, "Nats-Last-Stream": {"0"}}, ""), false, state.None, ""},
		{"the end", message(nats.Header{"Status": {"409"}, "Description": {"Consumer Deleted"}}, ""), false, state.None, "409 Consumer Deleted"},
		{"from somebody else", message(nil, "x"), false, state.None, "makes no sense"},
	} {
		w := &watch{store: &store{}}
		doc, told, err := w.take(c.m)
		if told != c.told || doc.Rev != c.rev {
			t.Errorf("%s: told %v, revision %q", c.name, told, doc.Rev)
		}
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", c.name, err, c.err)
		}
		if c.told && w.store.newest.Load() != 42 {
			t.Errorf("%s: the newest message is number %d", c.name, w.store.newest.Load())
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	api := func(code jetstream.ErrorCode) error {
		return &jetstream.APIError{Code: 400, ErrorCode: code, Description: "said so"}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{api(jetstream.JSErrCodeJetStreamNotEnabled), "JetStream is not enabled"},
		{api(jetstream.JSErrCodeJetStreamNotEnabledForAccount), "JetStream is not enabled"},
		{api(noLimits), "JetStream is not enabled"},
		{api(noLeader), "are enough of the cluster's servers up?"},
		{api(streamOffline), "servers are down"},
		{api(streamOfflineReason), "servers are down"},
		{api(noPeers), "ask for fewer"},
		{api(noReplicas), "ask for fewer"},
		{api(accountLimits), "resources do not suffice"},
		{api(storageExceeded), "resources do not suffice"},
		{api(storeFailed), "is full"},
		{api(jetstream.JSErrCodeMaximumConsumersLimit), "raise the maximum number of consumers"},
		{api(ttlDisabled), "recess migrate"},
		{fmt.Errorf("x: %w", nats.ErrAuthorization), "check user and password"},
		{nats.ErrAuthExpired, "check user and password"},
		{nats.ErrSecureConnWanted, "offers no TLS"},
		{fmt.Errorf("%w: x509", nats.ErrTLS), "tls_ca"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, "tls_cert"},
		{nats.ErrNoResponders, "nobody answers for JetStream"},
	} {
		got := explain(c.err)
		if !strings.Contains(got.Error(), c.want) || !errors.Is(got, c.err) || !strings.HasSuffix(got.Error(), c.err.Error()) {
			t.Errorf("%v: %v, want %q before it", c.err, got, c.want)
		}
	}
	for _, err := range []error{nil, state.ErrConflict, errLost, context.Canceled, noBucket{"b"}} {
		if got := explain(err); fmt.Sprint(got) != fmt.Sprint(err) {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestASaveThatFailsIsToldApart(t *testing.T) {
	api := func(code jetstream.ErrorCode) error { return &jetstream.APIError{ErrorCode: code} }
	for _, c := range []struct {
		name              string
		err               error
		conflict, refused bool
		want              string
	}{
		{"somebody else was first", api(jetstream.JSErrCodeStreamWrongLastSequence), true, false, ""},
		{"sealed", api(streamSealed), false, true, "sealed"},
		{"too large for the bucket", api(jetstream.JSErrCodeStreamMessageExceedsMaximum), false, false, "does not take 9 bytes"},
		{"too large for the server", nats.ErrMaxPayload, false, false, "max_payload, which is 8"},
		{"not allowed", forbidden{"$KV.b.k", false}, false, true, "may not publish to $KV.b.k"},
		{"no inbox", forbidden{"_INBOX.x.*", true}, false, false, "inbox=PREFIX"},
		{"lost", errLost, false, false, "whether it was stored is not known"},
		{"silent", errSilent{context.DeadlineExceeded}, false, false, "whether it was stored is not known"},
		{"nobody there", nats.ErrNoResponders, false, false, "no responders"},
	} {
		got := saving(c.err, 9, 8)
		if errors.Is(got, state.ErrConflict) != c.conflict || errors.Is(got, state.ErrReadOnly) != c.refused || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestPermissionsAreNamedAsTheServerTakesThem(t *testing.T) {
	err := anyName(fmt.Errorf("x: %w", forbidden{"$JS.API.CONSUMER.CREATE.KV_b.recess-1.$KV.b.k", false}), "recess-1")
	if want := "the user may not publish to $JS.API.CONSUMER.CREATE.KV_b.*.$KV.b.k: allow it"; !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if err := anyName(errLost, "x"); !errors.Is(err, errLost) {
		t.Error(err)
	}
}

func TestWhatCouldForgetTheStateIsNoBucketForIt(t *testing.T) {
	good := jetstream.StreamConfig{Name: "KV_b", Subjects: []string{"$KV.b.>"}, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, MaxBytes: 100}
	for _, c := range []struct {
		name  string
		spoil func(*jetstream.StreamConfig)
		want  string
	}{
		{"good", func(*jetstream.StreamConfig) {}, ""},
		{"no limits to forget by", func(c *jetstream.StreamConfig) { c.Discard, c.MaxBytes, c.MaxMsgs = jetstream.DiscardOld, -1, -1 }, ""},
		{"a mirror", func(c *jetstream.StreamConfig) { c.Mirror = &jetstream.StreamSource{} }, "mirror"},
		{"everything", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = -1 }, "is no key-value bucket"},
		{"something else", func(c *jetstream.StreamConfig) { c.Subjects = []string{"x"} }, "is no key-value bucket"},
		{"a queue", func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, "is no key-value bucket"},
		{"without an answer", func(c *jetstream.StreamConfig) { c.NoAck = true }, "is no key-value bucket"},
		{"for an hour", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "forgets its keys after 1h0m0s"},
		{"so many bytes", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, "forgets its oldest keys"},
	} {
		config := good
		c.spoil(&config)
		if err := fit(config, "b"); (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if err := fitInstances(good, "b"); err == nil || !strings.Contains(err.Error(), "TTL of their own") {
		t.Errorf("instances without TTLs: %v", err)
	}
}
