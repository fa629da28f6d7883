package httpstate_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
)

const document = `{"version":1,"epoch":1,"revision":1,"windows":[]}`

func TestTheServerIsAskedOnlyForWhatHasChanged(t *testing.T) {
	longAgo := "Mon, 02 Nov 2026 15:04:05 GMT"
	for _, c := range []struct {
		name, tag, date string
		condition       string
	}{
		{"a strong entity tag", `"abc"`, "", `"abc"`},
		{"a weak one", `W/"abc"`, "", `W/"abc"`},
		{"an entity tag and a date", `"abc"`, longAgo, `"abc"`},
		{"a date alone", "", longAgo, longAgo},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &publisher{data: []byte(document), tag: c.tag, date: c.date}
			b := backend(t, serve(t, p).URL, noConfig)
			doc := read(t, b)
			if string(doc.Data) != document {
				t.Fatalf("it reads %q", doc.Data)
			}
			if r := p.last(); r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since") != "" {
				t.Errorf("the first question has a condition: %v", r.Header)
			}
			unchanged(t, b, doc.Rev)
			if again := read(t, b); again.Rev != doc.Rev || string(again.Data) != document {
				t.Errorf("Unseen is answered with revision %q, %q", again.Rev, again.Data)
			}
			if r := p.last(); r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since") != c.condition {
				t.Errorf("a later question has the condition %v", r.Header)
			}
			if asked, full := p.times(); asked != 3 || full != 1 {
				t.Errorf("of %d answers %d came with the document, want 1 of 3", asked, full)
			}
			p.change(func(p *publisher) { p.data, p.tag, p.date = []byte("off"), "", "" })
			if again := read(t, b); again.Rev == doc.Rev {
				t.Error("a change is not seen")
			}
			unchanged(t, b, read(t, b).Rev)
			if r := p.last(); r.Header["If-None-Match"] != nil || r.Header["If-Modified-Since"] != nil {
				t.Errorf("where the server no longer names its versions, it is asked by %v", r.Header)
			}
		})
	}
}

func TestTheQuestion(t *testing.T) {
	p := &publisher{data: []byte(document)}
	b := backend(t, serve(t, p).URL+"/a%2Fb?site=eu&x=%40", noConfig)
	read(t, b)
	r := p.last()
	if r.Method != "GET" || r.RequestURI != "/a%2Fb?site=eu&x=%40" {
		t.Errorf("%s %s", r.Method, r.RequestURI)
	}
	for name, want := range map[string]string{
		"Accept": "application/json, text/plain, */*;q=0.1", "Accept-Encoding": "identity", "Cache-Control": "no-cache",
		"User-Agent": "recess", "Authorization": "", "Cookie": "", "Referer": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestARevisionIsMadeOfTheContent(t *testing.T) {
	p := new(publisher)
	b := backend(t, serve(t, p).URL, noConfig)
	p.publish(document, `"1"`)
	first := read(t, b)
	p.publish(document, `"2"`)
	unchanged(t, b, first.Rev)
	p.publish(strings.Replace(document, `"revision":1`, `"revision":2`, 1), "")
	if second := read(t, b); second.Rev == first.Rev {
		t.Error("two documents share a revision")
	}
	p.publish(document, "")
	unchanged(t, b, first.Rev)
}

// TestAnEntityTagThatLiesIsFoundOut: the server gives one to two documents.
func TestAnEntityTagThatLiesIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(publisher)
		b := backend(t, "https://host/", through(p))
		p.publish("on", `"same"`)
		first := read(t, b)
		p.publish("off", `"same"`)
		began := time.Now()
		for {
			doc, _, err := b.Next(t.Context(), first.Rev)
			if err == nil && doc.Rev != first.Rev {
				break
			}
			time.Sleep(15 * time.Second)
			if time.Since(began) > time.Hour {
				t.Fatal("it is never found out")
			}
		}
		if took := time.Since(began); took > 5*time.Minute+15*time.Second {
			t.Errorf("it is found out after %v", took)
		}
	})
}

// TestTwoChangesWithinASecondAreTwo is over net/http's own file server, whose Last-Modified has seconds: the second
// document is of the same size and time as the first.
func TestTwoChangesWithinASecondAreTwo(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "recess.json")
	publish := func(text string, at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	full := 0
	files := http.FileServer(http.Dir(dir))
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Modified-Since") == "" {
			full++
		}
		files.ServeHTTP(w, r)
	}))
	b := backend(t, server.URL+"/recess.json", noConfig)
	now := time.Now()
	publish("on ", now)
	first := read(t, b)
	unchanged(t, b, first.Rev)
	publish("off", now)
	if doc, _, err := b.Next(t.Context(), first.Rev); err != nil || doc.Rev == first.Rev {
		t.Errorf("the second change is not seen: %v", err)
	}
	if full != 3 {
		t.Errorf("of 3 questions for a new document %d were for the whole", full)
	}
	publish("off", now.Add(-2*time.Minute)) // as it will be two minutes from now
	for range 5 {
		read(t, b)
	}
	if full != 4 {
		t.Errorf("of 5 questions for an old document %d were for the whole, want 1", full-3)
	}
}

func TestADocumentThatIsGoneIsNone(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusGone} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			p := new(publisher)
			b := backend(t, serve(t, p).URL, noConfig)
			p.publish(document, `"1"`)
			first := read(t, b)
			p.change(func(p *publisher) { p.status = status })
			doc, _, err := b.Next(t.Context(), first.Rev)
			if err != nil || doc.Rev != state.None || doc.Data != nil {
				t.Errorf("revision %q with %q, %v", doc.Rev, doc.Data, err)
			}
			unchanged(t, b, state.None)
			p.change(func(p *publisher) { p.status = 0 })
			if doc := read(t, b); doc.Rev != first.Rev {
				t.Errorf("when it is back it has revision %q, not %q", doc.Rev, first.Rev)
			}
			if r := p.last(); r.Header.Get("If-None-Match") != "" {
				t.Error("it is asked for what has changed since it was gone")
			}
		})
	}
}

func TestWordsAndDocuments(t *testing.T) {
	p := new(publisher)
	b := backend(t, serve(t, p).URL, noConfig)
	for _, c := range []struct {
		name, text string
		windows    int
		makesSense bool
	}{
		{"the word on", "on", 1, true},
		{"the word off, with an end of line", "off\n", 0, true},
		{"another word", " TRUE ", 1, true},
		{"a document", document, 0, true},
		{"nothing", "", 0, false},
		{"half a document", document[:20], 0, false},
		{"a captive portal", "<!doctype html><title>Welcome to our hotel</title>", 0, false},
		{"a word that is none", "offf", 0, false},
		{"a document of the largest size", document + strings.Repeat(" ", state.MaxSize-len(document)), 0, true},
		{"one that is larger by a byte", document + strings.Repeat(" ", state.MaxSize-len(document)+1), 0, false},
	} {
		p.publish(c.text, "")
		doc := read(t, b)
		if doc.Rev == state.None || doc.Data == nil {
			t.Errorf("%s: it counts as missing", c.name)
		}
		s, err := state.Decode(doc.Data)
		switch {
		case c.makesSense && (err != nil || len(s.Windows) != c.windows):
			t.Errorf("%s: %d windows, %v", c.name, len(s.Windows), err)
		case !c.makesSense && (!errors.Is(err, state.ErrInvalid) || string(doc.Data) != c.text):
			t.Errorf("%s: %.100q, %v", c.name, doc.Data, err)
		}
	}
}

func TestItIsOnlyRead(t *testing.T) {
	p := &publisher{data: []byte(document)}
	b := backend(t, strings.Replace(serve(t, p).URL, "//", "//user:hunter2@", 1)+"/x", noConfig)
	_, err := b.Save(t.Context(), read(t, b).Rev, []byte(document))
	if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(err.Error(), "change the document where it is published") {
		t.Errorf("Save: %v", err)
	}
	if !strings.HasPrefix(err.Error(), "httpstate: save: ") || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "http://…@127.0.0.1:") {
		t.Errorf("Save: %v", err)
	}
	if asked, _ := p.times(); asked != 1 {
		t.Errorf("the server was asked %d times", asked)
	}
}

func TestTheServerSaysHowOftenItIsAsked(t *testing.T) {
	for _, c := range []struct {
		control, age string
		want         time.Duration
	}{
		{"", "", 0},
		{"max-age=5", "", 5 * time.Second},
		{"public, Max-Age=\"7\" , immutable", "", 7 * time.Second},
		{"s-maxage=9", "", 0},
		{"max-age=300", "290", 10 * time.Second},
		{"max-age=300", "400", time.Second},
		{"max-age=0", "", 0},
		{"max-age=-1", "", 0},
		{"max-age=soon", "", 0},
		{"no-store", "", 0},
		{"max-age=99999999999999999999999999", "", 24 * time.Hour},
		{"max-age=300", "old", 300 * time.Second},
	} {
		for _, tag := range []string{"", `"1"`} {
			p := &publisher{data: []byte(document), tag: tag, header: http.Header{"Cache-Control": {c.control}, "Age": {c.age}}}
			b := backend(t, "https://host/", through(p))
			doc := read(t, b)
			if got := unchanged(t, b, doc.Rev); got != c.want {
				t.Errorf("%q, Age %q, ETag %q: it asks for %v, want %v", c.control, c.age, tag, got, c.want)
			}
		}
	}
}

func TestAnAnswerThatNothingHasChangedSaysForHowLong(t *testing.T) {
	p := &publisher{data: []byte(document), tag: `"1"`, header: http.Header{"Cache-Control": {"max-age=5"}}}
	b := backend(t, "https://host/", through(p))
	doc := read(t, b)
	p.change(func(p *publisher) { p.header = http.Header{"Cache-Control": {"max-age=7"}} })
	if got := unchanged(t, b, doc.Rev); got != 7*time.Second {
		t.Errorf("it asks for %v", got)
	}
	p.change(func(p *publisher) { p.header = nil })
	if got := unchanged(t, b, doc.Rev); got != 0 {
		t.Errorf("when it no longer says so it asks for %v", got)
	}
}

func TestADateThatIsNoneIsNotAskedAbout(t *testing.T) {
	for _, tag := range []string{"", `"1"`} {
		p := &publisher{data: []byte(document), tag: tag, date: "yesterday"}
		b := backend(t, serve(t, p).URL, noConfig)
		unchanged(t, b, read(t, b).Rev)
		if h := p.last().Header; h["If-None-Match"] != nil || h["If-Modified-Since"] != nil {
			t.Errorf("with the entity tag %q it is asked by %v", tag, h)
		}
	}
}

func TestLooksAtTheSameTimeDoNotDisturbEachOther(t *testing.T) {
	p := new(publisher)
	b := backend(t, serve(t, p).URL, noConfig)
	done := make(chan error)
	for range 8 {
		go func() {
			for n := range 50 {
				doc, err := state.Read(t.Context(), b)
				if err == nil && doc.Rev != state.None {
					_, err = state.Decode(doc.Data)
				}
				if err != nil {
					done <- fmt.Errorf("look %d: %w", n, err)
					return
				}
			}
			done <- nil
		}()
	}
	for n := range 200 {
		text, tag := "on", `"on"`
		if n%2 == 0 {
			text, tag = document, `"document"`
		}
		p.publish(text, tag)
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
