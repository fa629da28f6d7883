package redisstate

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// TestAServersAnswersAreExplained has what servers of all ages say, as they say it.
func TestAServersAnswersAreExplained(t *testing.T) {
	f := serve(t)
	for _, c := range []struct{ answer, want string }{
		{"NOAUTH Authentication required.", "redis://USER:PASSWORD@HOST"},
		{"WRONGPASS invalid username-password pair or user is disabled.", "refuses the user or the password"},
		{"ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?", "leave it out"},
		{"ERR Client sent AUTH, but no password is set", "leave it out"},
		{"NOPERM this user has no permissions to run the 'hmget' command", "denies HMGET: grant"},
		{"NOPERM User hunter2 has no permissions to run the 'config|get' command", "denies CONFIG GET: grant"},
		{"NOPERM this user has no permissions to access one of the keys used as arguments", "denies the key: grant"},
		{"NOPERM No permissions to access a channel", "denies the channel: grant"},
		{"NOPERM ACL failure in script: User hunter2 has no permissions to run the 'hset' command", "denies HSET: grant"},
		{"ERR The user executing the script can't run this command or subcommand script: e6a8, on @user_script:1.", "denies a command of the script: grant"},
		{"ERR The user executing the script can't access at least one of the keys mentioned in the command", "denies the key: grant"},
		{"READONLY You can't write against a read only replica.", "it is a replica"},
		{"LOADING Redis is loading the dataset in memory", "still loading"},
		{"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "has lost its master"},
		{"OOM command not allowed when used memory > 'maxmemory'. script: c4f3, on @user_script:1.", "maxmemory"},
		{"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", "its log says why"},
		{"NOREPLICAS Not enough good replicas to write.", "min-replicas-to-write"},
		{"CLUSTERDOWN Hash slot not served", "CLUSTER INFO"},
		{"MOVED 3999 127.0.0.1:6381", "redis+cluster:"},
		{"ASK 3999 127.0.0.1:6381", "redis+cluster:"},
		{"TRYAGAIN Multiple keys request during rehashing of slot", "moving the key"},
		{"WRONGTYPE Operation against a key holding the wrong kind of value", "?key=NAME"},
		{"ERR SELECT is not allowed in cluster mode", "only database 0"},
		{"ERR max number of clients reached", "maxclients"},
		{"BUSY Redis is busy running a script.", "SCRIPT KILL"},
		{"ERR unknown command `HMGET`, with args beginning with: ", "does not offer"},
		{"ERR something new", "ERR something new"},
	} {
		f.say(func(conn net.Conn, _ []string) { io.WriteString(conn, "-"+c.answer+"\r\n") })
		b := f.opened(t, "")
		_, errRead := state.Read(t.Context(), b)
		_, errSave := b.Save(t.Context(), state.None, nil)
		_, _, errWatch := b.Next(t.Context(), "1-x")
		_, errList := b.Instances(t.Context())
		for what, err := range map[string]error{"read": errRead, "save": errSave, "watch": errWatch, "list": errList} {
			switch {
			case err == nil || !strings.Contains(err.Error(), "Redis at "+f.addr+": ") || !strings.Contains(err.Error(), c.want):
				t.Errorf("%s: %s: %v, want %q", c.answer, what, err, c.want)
			case strings.Contains(err.Error(), "hunter2"):
				t.Errorf("%s: %s: the error names the user: %v", c.answer, what, err)
			}
		}
		replica := strings.HasPrefix(c.answer, "READONLY")
		if may := strings.Contains(c.want, "denies") || replica; errors.Is(errSave, state.ErrReadOnly) != may {
			t.Errorf("%s: save: %v", c.answer, errSave)
		}
		if errors.Is(errRead, state.ErrReadOnly) != replica {
			t.Errorf("%s: read: %v", c.answer, errRead)
		}
	}
}

func TestWhatIsNoRedisIsCalledThat(t *testing.T) {
	f := serve(t)
	for _, answer := range []string{"+OK\r\n", ":1\r\n", "*0\r\n", "*1\r\n+x\r\n"} {
		f.say(func(conn net.Conn, _ []string) { io.WriteString(conn, answer) })
		b := f.opened(t, "")
		_, errRead := state.Read(t.Context(), b)
		_, errSave := b.Save(t.Context(), state.None, nil)
		_, errAnnounce := b.Announce(t.Context(), "web-1", nil, state.MinTTL)
		for what, err := range map[string]error{"read": errRead, "save": errSave, "announce": errAnnounce} {
			if !errors.Is(err, errUnexpected) {
				t.Errorf("%q: %s: %v", answer, what, err)
			}
		}
		if strings.Contains(errSave.Error(), "may have been saved") {
			t.Errorf("%q: %v", answer, errSave)
		}
	}
}

// TestASaveWithoutAnAnswerSaysSo cuts both attempts off after they have arrived.
func TestASaveWithoutAnAnswerSaysSo(t *testing.T) {
	f := serve(t)
	f.say(func(conn net.Conn, _ []string) { conn.Close() })
	_, err := f.opened(t, "").Save(t.Context(), state.None, []byte("x"))
	if err == nil || !strings.Contains(err.Error(), "may have been saved") {
		t.Errorf("Save: %v", err)
	}
	sent := f.commands()
	if len(sent) != 2 || !slices.Equal(sent[0], sent[1]) || len(sent[0]) != 9 || len(sent[0][7]) < 20 {
		t.Errorf("the attempts were %q", sent)
	}
}

// TestNothingIsSentTwiceWhereTheServerHasAnswered counts.
func TestNothingIsSentTwiceWhereTheServerHasAnswered(t *testing.T) {
	f := serve(t)
	for _, answer := range []string{"-ERR no\r\n", "-READONLY no\r\n", "-LOADING wait\r\n", "-TRYAGAIN wait\r\n", "*2\r\n:0\r\n$3\r\n1-x\r\n"} {
		f.say(func(conn net.Conn, _ []string) { io.WriteString(conn, answer) })
		_, err := f.opened(t, "").Save(t.Context(), state.None, []byte("x"))
		want := 1
		if strings.HasPrefix(answer, "-READONLY") {
			want = 2 // what was the master may be found elsewhere by now
		}
		if sent := f.commands(); err == nil || len(sent) != want {
			t.Errorf("%q: sent %d times: %v", answer, len(sent), err)
		}
	}
}

func TestAContextThatHasEndedIsNoFaultOfTheServer(t *testing.T) {
	f := serve(t)
	b := f.opened(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	f.say(func(net.Conn, []string) { cancel() }) // and no answer
	_, err := state.Read(ctx, b)
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "Redis at") {
		t.Errorf("Read: %v", err)
	}
}

// TestACallThatRanOutOfTimeSaysSo asks often: the socket sees a deadline a moment before the context does, or after it.
func TestACallThatRanOutOfTimeSaysSo(t *testing.T) {
	f := serve(t)
	f.say(func(net.Conn, []string) {}) // never an answer
	b := f.opened(t, "")
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Millisecond)
		_, err := state.Read(ctx, b)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Read: %v", err)
		}
	}
}

// TestGuessesEndWhereTheServerHasAnswered: that it closes a connection later is no sign of TLS.
func TestGuessesEndWhereTheServerHasAnswered(t *testing.T) {
	f := serve(t)
	closing := func(conn net.Conn, _ []string) { conn.Close() }
	for _, c := range []struct {
		name  string
		first string
		guess bool
	}{
		{"at first", "", true},
		{"after an answer", "*2\r\n$-1\r\n$-1\r\n", false},
	} {
		b := f.opened(t, "")
		if c.first != "" {
			f.say(func(conn net.Conn, _ []string) { io.WriteString(conn, c.first) })
			if _, err := state.Read(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		f.say(closing)
		_, err := state.Read(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), "it has closed the connection (EOF)") || strings.Contains(err.Error(), "rediss:") != c.guess {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
