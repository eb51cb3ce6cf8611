package text

import "strings"

// formula are the signs with which a cell begins that a spreadsheet takes for a
// formula, and the one that keeps it from doing so.
const formula = "=+-@\t\r'"

// SheetCell keeps a spreadsheet from taking what somebody wrote for a formula,
// which could fetch addresses or run programs where somebody opens the file.
//
// OWASP, "CSV Injection".
func SheetCell(s string) string {
	if s != "" && strings.ContainsRune(formula, rune(s[0])) {
		return "'" + s
	}
	return s
}

// FromSheetCell takes SheetCell back.
func FromSheetCell(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.ContainsRune(formula, rune(s[1])) {
		return s[1:]
	}
	return s
}

// SheetRow is a row of a table with each cell as SheetCell has it.
func SheetRow(cells []string) []string {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = SheetCell(c)
	}
	return row
}
