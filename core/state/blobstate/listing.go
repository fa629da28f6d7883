package blobstate

import (
	"cmp"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// A revision is one object as a listing shows it. Two that are equal are the same object with the same content: the
// store's time and checksum tell an object from another that took its place.
type revision struct {
	number uint64
	key    string
	made   int64 // nanoseconds since 1970, by the store's clock and as fine as it tells
	size   int64
	md5    string // a checksum, empty where the store tells none
}

// identity tells an object from every other of its name.
func (r revision) identity() string {
	return fmt.Sprintf("%d.%d.%x", r.made, r.size, r.md5)
}

// holds reports whether the object certainly has this content. Where the store tells no checksum, or one of another
// kind, nothing is certain.
func (r revision) holds(data []byte) bool {
	sum := md5.Sum(data)
	return r.size == int64(len(data)) && r.md5 == string(sum[:])
}

// A listing is the revisions there are, the oldest first.
type listing []revision

// newest is the revision that counts; the zero revision, number 0, if there is none.
func (l listing) newest() revision {
	if len(l) == 0 {
		return revision{}
	}
	return l[len(l)-1]
}

func (l listing) find(number uint64) (revision, bool) {
	i, found := slices.BinarySearchFunc(l, number, func(r revision, n uint64) int { return cmp.Compare(r.number, n) })
	if !found {
		return revision{}, false
	}
	return l[i], true
}

// keeps reports whether a revision is still there, and still the same object.
func (l listing) keeps(r revision) bool {
	now, found := l.find(r.number)
	return found && now == r
}

const (
	stem      = "rev-"
	maxNumber = 999_999_999_999_999 // fifteen digits
	pageSize  = 1000                // the most that S3 lists in one answer
)

var nameShape = regexp.MustCompile(`^` + stem + `([0-9]{8,15})\.json$`)

// key names a revision's object. Eight digits keep the order of names the order of numbers for longer than anybody will
// switch; the code compares numbers.
func (s *store) key(number uint64) string {
	return fmt.Sprintf("%s%s%08d.json", s.prefix, stem, number)
}

// numberOf returns the number in a key that key has made, and false for any other: a number has one key.
func (s *store) numberOf(key string) (uint64, bool) {
	match := nameShape.FindStringSubmatch(key[min(len(s.prefix), len(key)):])
	if match == nil {
		return 0, false
	}
	number, err := strconv.ParseUint(match[1], 10, 64)
	return number, err == nil && number > 0 && s.key(number) == key
}

// list asks for the revisions there are: one request for each thousand objects whose names begin as theirs do.
func (s *store) list(ctx context.Context) (listing, error) {
	var found listing
	for token := blob.FirstPageToken; len(token) > 0; {
		page, next, err := s.listPage(ctx, token)
		if err != nil {
			return nil, s.explain(toList, err)
		}
		for _, object := range page {
			if number, ok := s.numberOf(object.Key); ok && !object.IsDir {
				found = append(found, revision{number, object.Key, object.ModTime.UnixNano(), object.Size, string(object.MD5)})
			}
		}
		token = next
	}
	slices.SortFunc(found, func(a, b revision) int { return cmp.Compare(a.number, b.number) })
	if s.local && len(found) == 0 {
		return nil, s.mustBeEmpty(ctx)
	}
	return found, nil
}

func (s *store) listPage(ctx context.Context, token []byte) (page []*blob.ListObject, next []byte, err error) {
	// fileblob fails when a file that it is about to describe is removed, as pruning does all the time.
	for range 20 {
		page, next, err = s.bucket.ListPage(ctx, token, pageSize, &blob.ListOptions{Prefix: s.prefix + stem, Delimiter: "/"})
		if !s.local || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return page, next, err
}

// mustBeEmpty returns an error where fileblob lists nothing because it could not look: it passes over what it cannot
// read, a directory that is not mounted included.
func (s *store) mustBeEmpty(ctx context.Context) error {
	var directory os.FileInfo
	if !s.bucket.As(&directory) {
		return s.explain(toList, errors.New("the bucket's directory is gone: is it mounted?"))
	}
	_, err := s.bucket.Attributes(ctx, s.key(1))
	if err == nil || gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return s.explain(toList, err)
}
