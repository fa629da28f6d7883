package sqlstate

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// A store is a [driver.Store]: one row of a table.
type store struct {
	db     *sql.DB
	config Config
	texts  texts

	prepare func(context.Context) error // makes what the tables are in; nil if that is not ours to make
	owned   bool                        // the database was opened here, and ends here

	// lockWait is for how long a statement may wait for locks on the server, whether its caller waits or not. No statement
	// is repeated with less time left.
	lockWait time.Duration

	turn chan struct{} // held by the one call that tries again

	mu    sync.Mutex
	swept time.Time // when expired instances were removed last
}

// texts are the statements. The name of the document stands in them as it is, for state.CheckName leaves nothing in it
// that means anything in SQL: a look without a parameter is one round trip with every driver.
type texts struct {
	read, insert, update                     string
	renew, join, clock, list, expired, sweep string
	withdraw                                 string
	checks, creates                          [2]string
}

func textsOf(c Config) texts {
	d, documents, instances := c.Dialect, c.Table, c.Table+"_instances"
	here := "name = '" + c.Name + "'"
	now, expiry := d.Clock, d.Clock+" + ?"
	if d.Clock == "" {
		now, expiry = "?", "?"
	}
	written := as(d.write, "?")
	key, number, text := d.types()
	t := texts{
		read:   "SELECT rev, " + as(d.read, "document") + " FROM " + documents + " WHERE " + here,
		insert: "INSERT INTO " + documents + " (name, rev, document) VALUES ('" + c.Name + "', ?, " + written + ")",
		update: "UPDATE " + documents + " SET rev = ?, document = " + written + " WHERE " + here + " AND rev = ? AND " + d.same("document"),

		renew:    "UPDATE " + instances + " SET expires = " + expiry + ", report = " + written + " WHERE " + here + " AND id = ?",
		join:     "INSERT INTO " + instances + " (expires, report, id, name) VALUES (" + expiry + ", " + written + ", ?, '" + c.Name + "')",
		clock:    "SELECT " + d.Clock + " FROM " + instances + " WHERE " + here + " AND id = ?",
		list:     "SELECT id, " + as(d.read, "report") + " FROM " + instances + " WHERE " + here + " AND expires > " + now,
		expired:  "SELECT id FROM " + instances + " WHERE " + here + " AND expires <= " + now,
		sweep:    "DELETE FROM " + instances + " WHERE " + here + " AND id = ? AND expires <= " + now,
		withdraw: "DELETE FROM " + instances + " WHERE " + here + " AND id = ?",

		checks: [2]string{
			"SELECT name, rev, document FROM " + documents + " WHERE 1 = 0",
			"SELECT name, id, expires, report FROM " + instances + " WHERE 1 = 0",
		},
		creates: [2]string{
			"CREATE TABLE " + documents + " (name " + key + " NOT NULL, rev " + number + " DEFAULT 0 NOT NULL, document " + text +
				" NOT NULL, PRIMARY KEY (name))" + d.Options,
			"CREATE TABLE " + instances + " (name " + key + " NOT NULL, id " + key + " NOT NULL, expires " + number +
				" NOT NULL, report " + text + " NOT NULL, PRIMARY KEY (name, id))" + d.Options,
		},
	}
	for _, text := range []*string{
		&t.insert, &t.update, &t.renew, &t.join, &t.clock, &t.list, &t.expired, &t.sweep, &t.withdraw,
	} {
		*text = d.bind(*text)
	}
	return t
}

// A row is the document's row as it was found; the zero row is none.
type row struct {
	exists   bool
	number   int64
	document []byte
}

// rev has something of the content, which the number alone does not tell: the text may have been changed by hand, and
// the table emptied.
func (r row) rev() state.Rev {
	if !r.exists {
		return state.None
	}
	return driver.Numbered(uint64(r.number), r.document)
}

// Read implements [driver.Store].
func (s *store) Read(ctx context.Context) (state.Doc, error) {
	found, err := s.look(ctx)
	if err != nil || !found.exists {
		return state.Doc{}, err
	}
	return state.Doc{Rev: found.rev(), Data: found.document}, nil
}

func (s *store) look(ctx context.Context) (found row, err error) {
	err = s.try(ctx, func() error {
		found = row{exists: true}
		return s.db.QueryRowContext(ctx, s.texts.read).Scan(&found.number, &found.document)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, nil
	}
	return found, err
}

// Save implements [driver.Store]. What was found is compared in the very statement that replaces it, number and text:
// there is no moment in which somebody else's change can be lost, and no lock that a writer who is stopped in the middle
// would keep.
func (s *store) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	if err := checkText("document", data); err != nil {
		return state.None, err
	}
	found, err := s.look(ctx)
	if err != nil {
		return state.None, err
	}
	if found.rev() != old {
		return state.None, state.ErrConflict
	}
	next := row{true, found.number + 1, data}
	var changed int64
	if found.exists {
		changed, err = s.exec(ctx, s.texts.update, next.number, string(data), found.number, string(found.document))
	} else {
		changed, err = s.exec(ctx, s.texts.insert, next.number, string(data))
	}
	switch {
	case errors.Is(err, errDuplicate), err == nil && changed == 0:
		return state.None, state.ErrConflict
	case errors.Is(err, errDenied):
		return state.None, fmt.Errorf("%w: %w", state.ErrReadOnly, err)
	case errors.Is(err, state.ErrReadOnly):
		s.reconnect() // these connections lead to what was the primary once; another server may be it now
		return state.None, err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return state.None, fmt.Errorf("the answer is missing, so that the document may be saved or not: read it before you save again: %w", err)
	case err != nil:
		return state.None, err
	}
	return next.rev(), nil
}

// reconnect closes the connections that nobody uses, of a database that was opened here.
func (s *store) reconnect() {
	if s.owned {
		s.db.SetMaxIdleConns(0)
		s.db.SetMaxIdleConns(idleConns)
	}
}

// checkText refuses what a column of text would not give back as it was.
func checkText(what string, data []byte) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("the %s is no UTF-8, which is all that a column of text can keep", what)
	}
	return nil
}

// Close implements [driver.Store].
func (s *store) Close() error {
	if !s.owned {
		return nil
	}
	return s.db.Close()
}

// exec carries a statement out and returns how many rows it changed.
func (s *store) exec(ctx context.Context, text string, args ...any) (changed int64, err error) {
	err = s.try(ctx, func() error {
		result, err := s.db.ExecContext(ctx, text, args...)
		if err != nil {
			return err
		}
		if changed, err = result.RowsAffected(); err != nil {
			return fmt.Errorf("the driver does not tell how many rows were changed, so it cannot be used: %w", err)
		}
		return nil
	})
	return changed, err
}

// query carries a query out and hands over each row. It may begin anew: then reset is called first.
func (s *store) query(ctx context.Context, reset func(), take func(scan func(...any) error) error, text string, args ...any) error {
	return s.try(ctx, func() error {
		reset()
		rows, err := s.db.QueryContext(ctx, text, args...)
		if err != nil {
			return err
		}
		for err == nil && rows.Next() {
			err = take(rows.Scan)
		}
		return cmp.Or(err, rows.Err(), rows.Close())
	})
}

var (
	errDuplicate = errors.New("a row with this key is there")
	errDenied    = errors.New("this user must not do this")
)

// try calls do, again and again while the database says that another attempt may succeed and the context lasts, and
// explains the error. The pauses stay short, for SQLite's lock has no queue: whoever comes seldom may find it taken every
// time. Of those who try again on this backend, one does and the others wait, so that they do not keep each other from it.
func (s *store) try(ctx context.Context, do func() error) error {
	const first, most = time.Millisecond, 10 * time.Millisecond
	err := do()
	if !s.mayTryAgain(err) || !s.hasTime(ctx) {
		return s.explain(err)
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return s.explain(err)
	}
	for pause := first; ; pause = min(2*pause, most) {
		before := err
		err = do()
		switch {
		case err != nil && ctx.Err() != nil: // which alone would not say why there was too little time
			return fmt.Errorf("%w, after: %w", s.explain(err), s.explain(before))
		case !s.mayTryAgain(err) || !sleep(ctx, pause/2+rand.N(pause)) || !s.hasTime(ctx):
			return s.explain(err)
		}
	}
}

func (s *store) hasTime(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return s.lockWait == 0 || !bounded || time.Until(deadline) >= s.lockWait
}

func (s *store) mayTryAgain(err error) bool {
	return err != nil && s.config.Dialect.explain(err).Kind == Again
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// explain adds to an error what it means and what can be done.
func (s *store) explain(err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	m := s.config.Dialect.explain(err)
	if m.Words != "" {
		err = &worded{m.Words, err}
	}
	if m.Kind == Missing && m.Advice == "" {
		m.Advice = fmt.Sprintf(`the table %s or its companion %[1]s_instances is not there: make both with "recess migrate", once`, s.config.Table)
	}
	if m.Advice != "" {
		err = fmt.Errorf("%w: %s", err, m.Advice)
	}
	switch m.Kind {
	case ReadOnly:
		return fmt.Errorf("%w: %w", state.ErrReadOnly, err)
	case Duplicate:
		return &marked{err, errDuplicate}
	case Denied:
		return &marked{err, errDenied}
	case Missing:
		return &marked{err, errMissing}
	}
	return err
}

// worded is an error in other words.
type worded struct {
	words string
	error
}

func (w *worded) Error() string { return w.words }
func (w *worded) Unwrap() error { return w.error }

// marked is an error that is, silently, another one too.
type marked struct {
	error
	mark error
}

func (m *marked) Unwrap() []error { return []error{m.error, m.mark} }
