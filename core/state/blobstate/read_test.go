package blobstate_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

func TestALookAtAnUnchangedDocumentIsOneRequest(t *testing.T) {
	f := newFake()
	b, other := f.open(t), f.open(t)
	polls := func(what string, since state.Rev) {
		t.Helper()
		lists, all := f.counted(list), 0
		for range 10 {
			if _, _, err := b.Next(t.Context(), since); err == nil {
				t.Fatalf("%s: the revision is not %q", what, since)
			}
		}
		for _, request := range []string{get, head, put, remove} {
			all += f.counted(request)
		}
		if n := f.counted(list) - lists; n != 10 {
			t.Errorf("%s: 10 looks took %d listings", what, n)
		}
		for _, request := range []string{get, head, put, remove} {
			all -= f.counted(request)
		}
		if all != 0 {
			t.Errorf("%s: 10 looks took other requests", what)
		}
	}
	polls("without a document", state.None)
	gets := f.counted(get)
	rev := save(t, other, state.None, text(1))
	if doc := read(t, b); doc.Rev != rev {
		t.Errorf("the revision is %q, want %q", doc.Rev, rev)
	}
	if n := f.counted(get) - gets; n != 1 {
		t.Errorf("a new document was read %d times", n)
	}
	polls("after it was read", rev)
	rev = save(t, b, rev, text(2))
	gets = f.counted(get)
	if doc := read(t, b); doc.Rev != rev || f.counted(get) != gets {
		t.Errorf("what was saved here was read again")
	}
	polls("after it was saved here", rev)
}

func TestTheNewestRevisionCounts(t *testing.T) {
	f := newFake()
	b := f.open(t)
	f.write(key(3), "three")
	f.write(key(1000), "a thousand")
	f.write(key(40), "forty")
	wantText(t, b, "a thousand")
	save(t, b, read(t, b).Rev, "a thousand and one")
	if keys := f.keys(); !slices.Contains(keys, key(1001)) {
		t.Errorf("the store holds %q", keys)
	}
	f.write("recess/rev-99999999.json", "eight digits")
	save(t, b, read(t, b).Rev, "nine digits")
	wantText(t, f.open(t), "nine digits")
}

func TestForeignObjectsAreLeftAlone(t *testing.T) {
	f := newFake()
	b := f.open(t)
	keepFew(b)
	foreign := []string{
		"recess/README", "recess/rev-1.json", "recess/rev-000000099.json", "recess/rev-00000000.json",
		"recess/rev-00000099.json.bak", "recess/rev-00000099.txt", "recess/rev-00000099.json/inside", "recess/rev-.json",
		"recess/rev-0000000000000099.json", "recess/rev-+0000099.json", "recess/sub/rev-00000099.json",
		"recess/rev-9999999999999999.json", "recess2/rev-00000099.json", "rev-00000099.json", "recess", "recess/rev-",
	}
	for _, k := range foreign {
		f.write(k, "foreign")
	}
	if doc := read(t, b); doc.Rev != state.None || doc.Data != nil {
		t.Errorf("read was %q", doc.Data)
	}
	saveUpTo(t, b, 3*few)
	wantText(t, b, text(3*few))
	for _, k := range foreign {
		if f.text(k) != "foreign" {
			t.Errorf("%s is %q", k, f.text(k))
		}
	}
}

func TestAChangeByHandIsSeen(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, b, 3)
	seen := map[state.Rev]string{read(t, b).Rev: text(3)}
	step := func(what, want string) {
		t.Helper()
		doc := read(t, b)
		if string(doc.Data) != want {
			t.Errorf("%s: read was %q, want %q", what, doc.Data, want)
		}
		if was, again := seen[doc.Rev]; again && was != want {
			t.Errorf("%s: %q and %q share the revision %q", what, was, want, doc.Rev)
		}
		seen[doc.Rev] = want
	}
	f.write(key(4), "by hand")
	step("the next number was created", "by hand")
	f.write(key(4), "by Hand")
	step("the newest was replaced by as many bytes", "by Hand")
	f.write(key(4), "")
	step("the newest was made empty", "")
	f.erase(key(4))
	step("the newest was removed", text(3))
	f.write(key(4), "again")
	step("the number was used again", "again")
	f.erase("recess/")
	if doc := read(t, b); doc.Rev != state.None || doc.Data != nil {
		t.Errorf("of a store that was wiped %q was read", doc.Data)
	}
	f.write(key(1), "anew")
	step("the store began anew", "anew")
	save(t, b, read(t, b).Rev, "and on")
	step("it went on", "and on")
}

func TestANewestRevisionThatIsRemovedBeforeItIsReadIsLookedForAgain(t *testing.T) {
	f := newFake()
	writer, reader := f.open(t), f.open(t)
	keepFew(writer)
	saveUpTo(t, writer, 3)
	once := true
	f.hook(func(request, k string) error {
		if request == get && k == key(3) && once {
			once = false
			saveUpTo(t, writer, 3+2*few)
		}
		return nil
	}, nil)
	wantText(t, reader, text(3+2*few))
}

func TestANewestRevisionThatIsNeverThereIsAnError(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, f.open(t), 3)
	f.hook(func(request, _ string) error {
		if request == get {
			return errMissing
		}
		return nil
	}, nil)
	_, err := state.Read(t.Context(), b)
	if err == nil || !strings.Contains(err.Error(), key(3)) {
		t.Errorf("Next: %v", err)
	}
	if n := f.counted(get); n > 10 {
		t.Errorf("it was looked for %d times", n)
	}
}

func TestARevisionReplacedWhileItIsReadIsReadAgain(t *testing.T) {
	f := newFake()
	b := f.open(t)
	f.write(key(1), "short")
	f.hook(func(request, _ string) error {
		if request == get {
			f.hook(nil, nil)
			f.write(key(1), "and long")
		}
		return nil
	}, nil)
	wantText(t, b, "and long")
	wantText(t, b, "and long")
	f.write(key(1), "short")
	wantText(t, b, "short")
}

func TestAnOldAnswerIsNotKept(t *testing.T) {
	f := newFake()
	b := f.open(t)
	f.write(key(1), "the old text")
	f.mu.Lock()
	old := f.objects[key(1)]
	f.mu.Unlock()
	f.write(key(1), "new")
	current := f.objects[key(1)]
	serve := func(o object) { f.mu.Lock(); f.objects[key(1)] = o; f.mu.Unlock() }
	f.hook(func(request, _ string) error { // a cache on the way answers
		if request == get {
			serve(old)
		}
		return nil
	}, func(request, _ string) error {
		if request == get {
			serve(current)
		}
		return nil
	})
	wantText(t, b, "the old text")
	f.hook(nil, nil)
	wantText(t, b, "new")
}

func TestNoMoreOfAnObjectIsReadThanADocumentMayHave(t *testing.T) {
	f := newFake()
	b := f.open(t)
	f.write(key(1), strings.Repeat("x", 3*state.MaxSize))
	doc := read(t, b)
	if len(doc.Data) != state.MaxSize+1 || !bytes.Equal(doc.Data[:2], []byte("xx")) {
		t.Errorf("%d bytes were read", len(doc.Data))
	}
	save(t, b, doc.Rev, text(2))
}

func TestManyRevisionsAreListedPageByPage(t *testing.T) {
	f := newFake()
	b := f.open(t)
	for n := 1; n <= 2500; n++ {
		f.write(key(n), fmt.Sprint(n))
	}
	wantText(t, b, "2500")
	if n := f.counted(list); n != 3 {
		t.Errorf("2500 objects took %d listings", n)
	}
	if err := b.Prune(t.Context()); err != nil {
		t.Error(err)
	}
	lists := f.counted(list)
	wantText(t, b, "2500")
	if n := f.counted(list) - lists; n != 1 {
		t.Errorf("after Prune, a look took %d listings", n)
	}
}

func TestRevisionsHaveTheNumbersOfTheirObjects(t *testing.T) {
	f := newFake()
	b := f.open(t)
	f.write(key(42), "x")
	if n, ok := driver.Number(read(t, b).Rev); !ok || n != 42 {
		t.Errorf("the revision is %q", read(t, b).Rev)
	}
}

func TestARevisionThatIsNoneOfOursIsAConflict(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, b, 2)
	for _, old := range []state.Rev{"2", "2-", "2-0000000000000000", "abc", state.Unseen, "3-0000000000000000", state.None} {
		rev, err := b.Save(t.Context(), old, []byte("x"))
		wantConflict(t, outcome{rev, err})
	}
	if n := f.counted(put); n != 2+1 {
		t.Errorf("%d objects were tried to be created", n)
	}
}
