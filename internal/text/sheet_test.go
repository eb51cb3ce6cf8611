package text

import "testing"

func TestSheetCells(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Elm": "Elm", "=1+1": "'=1+1", "+64 9": "'+64 9", "-": "'-", "@bo@elm.example": "'@bo@elm.example", "\tx": "'\tx", "'quoted'": "''quoted'", "a=b": "a=b", "'": "''",
	} {
		got := SheetCell(in)
		if got != want {
			t.Errorf("SheetCell(%q) = %q, want %q", in, got, want)
		}
		if back := FromSheetCell(got); back != in {
			t.Errorf("FromSheetCell(%q) = %q, want %q", got, back, in)
		}
	}
	if s := FromSheetCell("'tis"); s != "'tis" {
		t.Errorf("an apostrophe of its own became %q", s)
	}
}
