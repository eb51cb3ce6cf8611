package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/store/storetest"
)

// mostMemory is what a hostile server may cost besides what the server takes
// when nothing happens.
const mostMemory = 128 << 20

// TestHostileServerCostsLittle sends a real process what is meant to cost it
// memory, from a server that it has connected with, and measures.
func TestHostileServerCostsLittle(t *testing.T) {
	if _, err := os.Stat("/proc/self/clear_refs"); err != nil {
		t.Skip("memory is measured in /proc")
	}
	binary := filepath.Join(t.TempDir(), "chalkring")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, tt := range costly {
		t.Run(tt.name, func(t *testing.T) {
			t.Run("sqlite", func(t *testing.T) { newVictim(t, binary, "").bears(tt) })
			if os.Getenv("CHALKRING_TEST_POSTGRES") != "" {
				t.Run("postgres", func(t *testing.T) { newVictim(t, binary, storetest.Postgres(t)).bears(tt) })
			}
		})
	}
}

// cost is one way to make a server spend.
type cost struct {
	name string
	do   func(v *victim)
	most time.Duration // that it may take with all that follows
}

// bears lets it happen and measures.
func (v *victim) bears(c cost) {
	v.t.Helper()
	cmd := v.start()
	defer v.kill(cmd)
	v.befriend()
	v.flood(50, 4, func(int) map[string]any { return v.friend.Note("pat", "Warming up") })
	v.settle()
	idle := v.memory(cmd, "VmRSS")
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", cmd.Process.Pid), []byte("5"), 0); err != nil { // VmHWM begins anew
		v.t.Fatal(err)
	}
	start := time.Now()
	c.do(v)
	v.settle()
	took, peak := time.Since(start), v.memory(cmd, "VmHWM")
	v.t.Logf("%d MiB more than the %d MiB at rest, %s", (peak-idle)>>20, idle>>20, took.Round(time.Millisecond))
	if peak-idle > mostMemory {
		v.t.Errorf("costs %d MiB", (peak-idle)>>20)
	}
	if took > c.most {
		v.t.Errorf("takes %s", took)
	}
	if status, body, err := v.friend.Post(v.inbox(), v.friend.Note("pat", "And then an honest word")); err != nil || status != http.StatusAccepted {
		v.t.Errorf("afterwards an honest note is answered %d %s (%v)", status, body, err)
	}
}

// large is a Create of a public note by pat whose text has size bytes.
func (v *victim) large(size int, change func(note map[string]any)) map[string]any {
	a := v.friend.Note("pat", "")
	note := a["object"].(map[string]any)
	note["content"] = strings.Repeat("word ", size/5)
	if change != nil {
		change(note)
	}
	return a
}

// flood sends n activities, so many at a time, and fails on an answer that no
// sender should get.
func (v *victim) flood(n, atOnce int, activity func(i int) map[string]any) {
	v.t.Helper()
	work := make(chan int)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for i := range work {
				status, body, err := v.friend.Post(v.inbox(), activity(i))
				if err != nil || status != http.StatusAccepted && status/100 != 4 {
					v.t.Errorf("answered %d: %.200s (%v)", status, body, err)
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	all.Wait()
}

// stall opens n requests, writes almost all of a body to each, holds them
// open for a while and leaves.
func (v *victim) stall(n int, declared int64, body []byte) {
	v.t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for range n {
		r, w := io.Pipe()
		req, err := v.friend.Request(v.inbox(), v.friend.Note("pat", "x"))
		if err != nil {
			v.t.Fatal(err)
		}
		req.Body, req.ContentLength = r, declared
		all.Go(func() {
			if res, err := client.Do(req); err == nil {
				_ = res.Body.Close()
			}
			_ = r.Close()
		})
		all.Go(func() {
			_, _ = w.Write(body)
			time.Sleep(3 * time.Second)
			_ = w.Close()
		})
	}
	all.Wait()
}

func packed(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.Copy(z, io.LimitReader(spaces{}, int64(size))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// wide makes notes whose list has as many elements as are read.
func (v *victim) wide(member string, each func(i int) any) func(int) map[string]any {
	all := make([]any, 4900)
	for i := range all {
		all[i] = each(i)
	}
	return func(int) map[string]any {
		return v.large(100, func(note map[string]any) { note[member] = all })
	}
}

// costly is what a hostile server tries that has only volume.
var costly = []cost{
	{"notes of almost a mebibyte", func(v *victim) {
		v.flood(100, 32, func(int) map[string]any { return v.large(1_000_000, nil) })
	}, 90 * time.Second},
	{"wide lists of recipients", func(v *victim) {
		v.flood(30, 16, v.wide("to", func(i int) any { return fmt.Sprintf("https://localhost/u/%0150d", i) }))
	}, 90 * time.Second},
	{"wide lists of hashtags", func(v *victim) {
		v.flood(30, 16, v.wide("tag", func(i int) any { return map[string]any{"type": "Hashtag", "name": fmt.Sprintf("#tag%0150d", i)} }))
	}, 90 * time.Second},
	{"wide lists of pictures", func(v *victim) {
		v.flood(30, 16, v.wide("attachment", func(i int) any {
			return map[string]any{"type": "Image", "mediaType": "image/png", "url": v.friend.URL(fmt.Sprintf("/p/%0100d.png", i))}
		}))
	}, 90 * time.Second},
	{"bodies beyond what is read", func(v *victim) {
		v.flood(60, 30, func(int) map[string]any { return v.large(3<<20, nil) })
	}, time.Minute},
	{"large bodies that do not end", func(v *victim) { v.stall(200, 1<<20, bytes.Repeat([]byte(" "), 1<<20-10)) }, time.Minute},
	{"bodies of no declared length that do not end", func(v *victim) { v.stall(200, -1, bytes.Repeat([]byte(" "), 1<<20-10)) }, time.Minute},
	{"small bodies that do not end", func(v *victim) { v.stall(1000, 60<<10, bytes.Repeat([]byte(" "), 60<<10-10)) }, time.Minute},
	{"actors of almost a mebibyte", func(v *victim) {
		filler := strings.Repeat("word ", 200_000)
		for i := range 100 {
			id, name := v.friend.Actor(fmt.Sprintf("fat%d", i)), fmt.Sprintf("fat%d", i)
			v.friend.Serve("/users/"+name, map[string]any{"id": id, "type": "Person", "preferredUsername": name, "inbox": id + "/inbox", "summary": filler})
		}
		v.flood(100, 30, func(i int) map[string]any { return v.friend.Note(fmt.Sprintf("fat%d", i), "x") })
	}, time.Minute},
	{"packed answers", func(v *victim) {
		bomb := packed(v.t, 256<<20)
		for i := range 40 {
			v.friend.Serve(fmt.Sprintf("/bombs/%d", i), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/activity+json")
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(bomb)
			}))
		}
		v.flood(40, 20, func(i int) map[string]any {
			a := v.friend.Note("pat", "x")
			a["type"], a["object"] = "Announce", v.friend.URL(fmt.Sprintf("/bombs/%d", i))
			return a
		})
	}, time.Minute},
}

// memory reads how much of the process is in memory.
func (v *victim) memory(cmd *exec.Cmd, line string) int64 {
	v.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		v.t.Fatal(err)
	}
	for l := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				v.t.Fatal(err)
			}
			return n << 10
		}
	}
	v.t.Fatalf("no %s", line)
	return 0
}
