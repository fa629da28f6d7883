package page

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestChooseLanguage(t *testing.T) {
	tags := []string{"de", "en-GB", "fr", "pt-BR", "zh-Hans-CN", "zh-Hant"}
	for _, tt := range []struct{ name, accept, want string }{
		{"no header is the default", "", ""},
		{"the tag itself", "fr", "fr"},
		{"letters' case does not count", "PT-br", "pt-BR"},
		{"a region finds its language", "de-AT", "de"},
		{"a language finds its region", "en", "en-GB"},
		{"a region finds another one for want of better", "pt-PT", "pt-BR"},
		{"a script is kept as long as possible", "zh-Hant-HK", "zh-Hant"},
		{"a script finds its region", "zh-Hans", "zh-Hans-CN"},
		{"a language is no prefix of a word", "den", ""},
		{"the order decides between equals", "fr, de", "fr"},
		{"the weight decides before the order", "fr;q=0.5, de;q=0.6", "de"},
		{"a browser's list", "it-CH,it;q=0.9,de-CH;q=0.8,de;q=0.7,en;q=0.6", "de"},
		{"weight zero chooses nothing", "de;q=0", ""},
		{"a star chooses nothing", "*", ""},
		{"unknown languages are the default", "ja, ko;q=0.8", ""},
		{"a malformed tag is skipped", "de_AT, fr;q=0.1", "fr"},
		{"a malformed weight is skipped", "de;q=2, fr;q=0.1", "fr"},
		{"a subtag of nine letters is malformed", "de-abcdefghi, fr;q=0.1", "fr"},
		{"a tag that ends in a hyphen is malformed", "de-, fr;q=0.1", "fr"},
		{"a tag longer than 64 bytes is skipped", "de" + strings.Repeat("-abcdefgh", 7) + ", fr;q=0.1", "fr"},
		{"32 elements are read", strings.Repeat("ja,", 31) + "fr", "fr"},
		{"of 5000 tags the first 32 are read", strings.Repeat("ja,", 32) + strings.Repeat("fr,", 5000), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if i, ok := indexLanguages(tags).choose(tt.accept); ok {
				got = tags[i]
			}
			if got != tt.want {
				t.Errorf("choose(%.80q) = %q, want %q", tt.accept, got, tt.want)
			}
		})
	}
}

func referenceLanguage(tags []string, accept string) string {
	languageRE := regexp.MustCompile(`(?s)^([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)` + paramsRE + `$`)
	type wish struct {
		tag string
		q   float64
	}
	var wishes []wish
	for _, element := range referenceElements(accept) {
		m := languageRE.FindStringSubmatch(element)
		if m == nil || len(m[1]) > 64 {
			continue
		}
		if q, ok := referenceWeight(m[2]); ok && q > 0 {
			wishes = append(wishes, wish{strings.ToLower(m[1]), q})
		}
	}
	slices.SortStableFunc(wishes, func(a, b wish) int { return int(b.q*1000) - int(a.q*1000) })
	for _, w := range wishes {
		for subtags := strings.Split(w.tag, "-"); len(subtags) > 0; subtags = subtags[:len(subtags)-1] {
			form := strings.Join(subtags, "-")
			for _, tag := range tags {
				if strings.EqualFold(tag, form) {
					return tag
				}
			}
			for _, tag := range tags {
				if strings.HasPrefix(strings.ToLower(tag)+"-", form+"-") {
					return tag
				}
			}
		}
	}
	return ""
}

func FuzzChooseLanguage(f *testing.F) {
	for _, seed := range []string{
		"", "*", "de", "de-AT, en;q=0.5", "zh-Hant-HK;q=0.3,fr;q=0.2,*;q=0.1", "de;q=0, fr;q=0.001", "de_AT;q=1", "pt;q=1.;q=1",
		"en-GB-oxendict, x-private", "de\x00, fr;q=0.4", strings.Repeat("ja,", 33) + "fr", `fr;x="a,b";q=0.5`,
	} {
		f.Add(seed)
	}
	tags := []string{"de", "en-GB", "fr", "pt-BR", "zh-Hans-CN", "zh-Hant"}
	index := indexLanguages(tags)
	f.Fuzz(func(t *testing.T, accept string) {
		got := ""
		if i, ok := index.choose(accept); ok {
			got = tags[i]
		}
		if want := referenceLanguage(tags, accept); got != want {
			t.Errorf("choose(%q) = %q, the reference says %q", accept, got, want)
		}
	})
}

func TestDirection(t *testing.T) {
	for tag, want := range map[string]string{
		"": "ltr", "en": "ltr", "de-AT": "ltr", "ar": "rtl", "AR-eg": "rtl", "he": "rtl", "fa-IR": "rtl", "ur": "rtl", "yi": "rtl",
		"ckb": "rtl", "az": "ltr", "az-Arab": "rtl", "pa-Arab-PK": "rtl", "yi-Latn": "ltr", "ks-Deva": "ltr", "arn": "ltr",
		"en-x-Arab": "ltr", "sr-Latn": "ltr", "de-1996": "ltr", "fa-1996-Latn": "ltr",
	} {
		if got := direction(tag); got != want {
			t.Errorf("direction(%q) = %s, want %s", tag, got, want)
		}
	}
}

func TestValidTag(t *testing.T) {
	for tag, want := range map[string]bool{
		"de": true, "pt-BR": true, "zh-Hant-TW": true, "x-private": true, "": false, "de_AT": false, "de-": false, "-de": false,
		"1de": false, "de AT": false, "de\n": false, "dé": false, "abcdefghi": false, "*": false, strings.Repeat("de-", 30) + "de": false,
	} {
		if got := ValidTag(tag); got != want {
			t.Errorf("ValidTag(%q) = %t, want %t", tag, got, want)
		}
	}
}
