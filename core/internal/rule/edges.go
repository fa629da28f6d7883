package rule

import "slices"

// edges leads from texts to places, which count from 1; 0 is nowhere. Most
// nodes have one edge, so the first is kept without a map.
type edges struct {
	text string
	to   int32
	more map[string]int32
}

func (e *edges) get(text string) int32 {
	if e.text == text {
		return e.to
	}
	if e.more == nil {
		return 0
	}
	return e.more[text]
}

func (e *edges) set(text string, to int32) {
	switch {
	case e.to == 0:
		e.text, e.to = text, to
	case e.more == nil:
		e.more = map[string]int32{text: to}
	default:
		e.more[text] = to
	}
}

// cut holds the edges whose texts have one length. All beginnings, or all ends,
// of a segment are found by cutting it at the few lengths that occur instead of
// comparing it with the many texts that do.
type cut struct {
	length int
	edges  edges
}

// cutAt returns the edges for a length, made if there are none.
func cutAt(cuts *[]cut, length int) *edges {
	i := slices.IndexFunc(*cuts, func(c cut) bool { return c.length == length })
	if i < 0 {
		i = len(*cuts)
		*cuts = append(*cuts, cut{length: length})
	}
	return &(*cuts)[i].edges
}

// list holds nodes, the first of them without an allocation.
type list struct {
	count int
	few   [6]int32
	many  []int32
}

func (l *list) add(n int32) {
	if l.count < len(l.few) {
		l.few[l.count] = n
	} else {
		l.many = append(l.many[:l.count-len(l.few)], n)
	}
	l.count++
}

func (l *list) at(i int) int32 {
	if i < len(l.few) {
		return l.few[i]
	}
	return l.many[i-len(l.few)]
}

// set holds numbers, those below 64 without an allocation.
type set struct {
	few  uint64
	many []uint64
}

// add reports whether the number was not in the set yet.
func (s *set) add(number int32) bool {
	word, bit := int(number>>6), uint64(1)<<(number&63)
	part := &s.few
	if word > 0 {
		if word > len(s.many) {
			s.many = append(s.many, make([]uint64, word-len(s.many))...)
		}
		part = &s.many[word-1]
	}
	fresh := *part&bit == 0
	*part |= bit
	return fresh
}
