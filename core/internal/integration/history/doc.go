// Package history holds the test that every backend keeps one history: many writers change the document at once while
// its server is killed and links are cut, everything that they call and are told is taken down, and two checks that
// know nothing of each other judge whether one register that is changed by compare-and-swap could have said all that.
package history
