package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// A row that a backup holds goes into the tables as what it was, and is written
// the same way again.
func FuzzDecodeRow(f *testing.F) {
	f.Add([]byte(`[1,"a",null,true,1.5,{"t":"2026-03-01T08:00:00.123Z"},{"b":"AAEC"}]`))
	f.Add([]byte(`[{"t":1},[],{"b":"="},1e999,-0,{"t":"","b":""}]`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var columns []json.RawMessage
		if json.NewDecoder(bytes.NewReader(line)).Decode(&columns) != nil || len(columns) > 100 {
			return
		}
		if _, err := decodeRow(line, len(columns)+1); err == nil {
			t.Errorf("%s has a column more", line)
		}
		row, err := decodeRow(line, len(columns))
		if err != nil {
			return
		}
		out, err := encodeRow(row)
		if err != nil {
			if strings.Contains(err.Error(), "year") {
				return // a moment beyond what can be written
			}
			t.Fatalf("%s is read as %v and cannot be written: %v", line, row, err)
		}
		again, err := decodeRow(out, len(columns))
		if err != nil {
			t.Fatalf("%s is written as %s and cannot be read: %v", line, out, err)
		}
		twice, err := encodeRow(again)
		if err != nil || !bytes.Equal(out, twice) {
			t.Errorf("%s is written as %s and then as %s (%v)", line, out, twice, err)
		}
	})
}

// A file that is no backup is refused, whatever it is, and what a backup may
// hold stays in its place.
func FuzzCheckBackup(f *testing.F) {
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"), "media/files/a.png")
	f.Add([]byte("BZh"), "../x")
	f.Add([]byte{}, "tables/posts/000.jsonl")
	f.Fuzz(func(t *testing.T, body []byte, part string) {
		name := filepath.Join(t.TempDir(), "backup")
		if err := os.WriteFile(name, body, 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := CheckBackup(name); err == nil {
			t.Errorf("%q is a backup: %+v", body, m)
		}
		if validPart(part) && !filepath.IsLocal(filepath.FromSlash(part)) {
			t.Errorf("%q may be in a backup", part)
		}
		if validPart(part) && strings.HasPrefix(path.Join("/data", part), "/data/") == false {
			t.Errorf("%q leaves its folder", part)
		}
	})
}

// The address that limits and logs go by is one that a proxy of ours saw.
func FuzzClientAddr(f *testing.F) {
	f.Add("127.0.0.1:4711", "198.51.100.1, 10.0.0.1")
	f.Add("[::1]:1", "unknown, [2001:db8::1]:443")
	f.Add("", ",,,")
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {forwarded}}}
		got := clientAddr(r, trusted)
		if got.Zone() != "" || got.Is4In6() {
			t.Errorf("%q behind %q is %s", forwarded, remote, got)
		}
		direct, err := netip.ParseAddrPort(remote)
		if err == nil && !within(direct.Addr().Unmap(), trusted) && got != direct.Addr().Unmap().WithZone("") {
			t.Errorf("%s makes believe that it is %s", remote, got)
		}
		if remote == "" && got.IsValid() {
			t.Errorf("nobody is %s", got)
		}
	})
}
