// Package qr draws QR codes on a terminal.
package qr

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the margin that a code needs, in modules (ISO/IEC 18004).
const quiet = 4

// Draw draws a text as a QR code, two modules to a character. It brings its own colours, white on black, since a code is
// dark on light whatever the terminal's ground is.
func Draw(text string) (string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", fmt.Errorf("qr: %w", err)
	}
	light := func(x, y int) bool {
		return x < -quiet || y < -quiet || x >= code.Size+quiet || y >= code.Size+quiet || !code.Black(x, y)
	}
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		b.WriteString("\x1b[97;40m")
		for x := -quiet; x < code.Size+quiet; x++ {
			switch upper, lower := light(x, y), light(x, y+1); {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String(), nil
}
