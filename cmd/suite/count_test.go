package main

import (
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	const in = `{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestOne"}
{"Action":"output","Package":"a","Test":"TestOne","Output":"=== RUN   TestOne\n"}
{"Action":"pass","Package":"a","Test":"TestOne","Elapsed":0.1}
{"Action":"output","Package":"a","Test":"TestTwo","Output":"    two_test.go:7: want 1\n"}
{"Action":"fail","Package":"a","Test":"TestTwo","Elapsed":0.1}
{"Action":"output","Package":"a","Test":"TestThree","Output":"=== RUN   TestThree\n"}
{"Action":"output","Package":"a","Test":"TestThree","Output":"    three_test.go:9: no browser here\n"}
{"Action":"skip","Package":"a","Test":"TestThree"}
{"Action":"output","Package":"a","Output":"FAIL\n"}
{"Action":"fail","Package":"a","Elapsed":0.2}
{"ImportPath":"b","Action":"build-output","Output":"b.go:1: broken\n"}
{"ImportPath":"b","Action":"build-fail"}
{"Action":"fail","Package":"b","Elapsed":0}
{"Action":"skip","Package":"c"}
`
	var out strings.Builder
	got, err := count(strings.NewReader(in), &out)
	if err != nil {
		t.Fatal(err)
	}
	if want := (tally{passed: 1, failed: 2, skipped: 1}); got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
	for _, want := range []string{"two_test.go:7: want 1", "b.go:1: broken", "skipped 1: no browser here"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	if want := "1 passed, 2 failed, 1 skipped"; got.String() != want {
		t.Errorf("line is %q, want %q", got, want)
	}
}
