package federation

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkInbound takes signed Creates of public notes from ten servers, 16
// at once, until each is in a follower's home list. It reports the processor
// time per activity against that of one RSA-2048 verification.
func BenchmarkInbound(b *testing.B) {
	for _, pg := range []bool{false, true} {
		name := "sqlite"
		if pg {
			name = "postgres"
		}
		b.Run(name, func(b *testing.B) { benchmarkInbound(b, pg) })
	}
}

func benchmarkInbound(b *testing.B, pg bool) {
	r := &ring{t: b, pg: pg, at: map[string]addrPort{}}
	oak := r.start("oak.localhost")
	amira := oak.person("amira")
	private, err := sig.ParsePrivateKey(keyPairs()[0].Private)
	if err != nil {
		b.Fatal(err)
	}
	const hosts = 10
	authors := make([]string, hosts)
	for i := range hosts {
		host := fmt.Sprintf("h%d.localhost", i)
		oak.allow(host)
		authors[i] = "http://" + host + "/u/1"
		oak.write(func(tx *store.Tx) error {
			uri := authors[i]
			a, err := community.UpsertRemote(tx, community.RemoteAccount{Account: community.Account{Username: "a", Host: host, URI: &uri, Inbox: uri + "/inbox", FollowersURI: uri + "/followers"},
				Keys: []community.PublicKey{{ID: uri + "#main-key", Algorithm: community.RSA, PEM: keyPairs()[0].Public}}})
			if err != nil {
				return err
			}
			_, err = community.Follow(tx, amira, a)
			if err != nil {
				return err
			}
			return community.ReceiveAccept(tx, a, "", amira.ID)
		})
	}
	requests := make([]*http.Request, b.N)
	for i := range requests {
		author := authors[i%hosts]
		id := fmt.Sprintf("%s/notes/%d", author, i)
		body, err := json.Marshal(doc{"@context": "https://www.w3.org/ns/activitystreams", "id": id + "/activity", "type": "Create", "actor": author,
			"to": []string{public}, "cc": []string{author + "/followers"}, "published": time.Now().UTC().Format(time.RFC3339),
			"object": doc{"id": id, "type": "Note", "attributedTo": author, "url": id, "published": time.Now().UTC().Format(time.RFC3339),
				"to": []string{public}, "cc": []string{author + "/followers"}, "sensitive": false, "contentMap": doc{"en": "x"},
				"content": fmt.Sprintf("<p>Note %d: what we tried in <a href=\"https://example.org/\">science</a> this week, and what the children said about it.</p>", i),
				"tag":     []doc{}, "attachment": []doc{}}})
		if err != nil {
			b.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodPost, oak.site.SharedInbox(), bytes.NewReader(body))
		req.Header.Set("Content-Type", activityJSON)
		if err := sig.Sign(req, sig.Key{ID: author + "#main-key", Private: private}, body, time.Now()); err != nil {
			b.Fatal(err)
		}
		requests[i] = req
	}
	router := mux.NewRouter()
	oak.Routes(router)
	verify := verifyCost(private.(*rsa.PrivateKey))
	b.ResetTimer()
	start, began, before := cpu(), time.Now(), oak.db.Stats()
	var next atomic.Int64
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(b.N) {
					return
				}
				w := httptest.NewRecorder()
				router.ServeHTTP(w, requests[i])
				if w.Code != http.StatusAccepted {
					b.Errorf("answered %d: %s", w.Code, w.Body)
					return
				}
			}
		})
	}
	wait.Wait()
	accepted := time.Since(began)
	for oak.count("SELECT COUNT(*) FROM home_entries WHERE account_id = ?", amira.ID) < b.N {
		if b.Failed() || time.Since(began) > time.Minute {
			b.Fatal("not all became visible")
		}
		time.Sleep(2 * time.Millisecond)
	}
	used := cpu() - start
	b.StopTimer()
	b.ReportMetric(float64(used)/float64(b.N)/float64(verify), "×verify")
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "visible/s")
	b.ReportMetric(float64(b.N)/accepted.Seconds(), "accepted/s")
	stats := oak.db.Stats()
	b.ReportMetric(float64(stats.Reads+stats.Writes-before.Reads-before.Writes)/float64(b.N), "transactions/op")
}

// verifyCost is the processor time of one RSA-2048 verification here and now.
func verifyCost(key *rsa.PrivateKey) time.Duration {
	sum := sha256.Sum256([]byte("x"))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return 1
	}
	const times = 500
	start := cpu()
	for range times {
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
			return 1
		}
	}
	return (cpu() - start) / times
}

// BenchmarkDeliver sends one post after the other to one server over a kept
// connection and reports the processor time of each, the other side's plain
// HTTP handling included, against that of one RSA-2048 signature.
func BenchmarkDeliver(b *testing.B) {
	for _, pg := range []bool{false, true} {
		name := "sqlite"
		if pg {
			name = "postgres"
		}
		b.Run(name, func(b *testing.B) {
			r := &ring{t: b, pg: pg, at: map[string]addrPort{}}
			oak, elm := r.still("oak.localhost"), r.still("elm.localhost")
			oak.allow(elm.host)
			amira := oak.person("amira")
			elm.tap = func(w http.ResponseWriter, r *http.Request) bool {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusAccepted)
				return true
			}
			body := bytes.Repeat([]byte("x"), 3000)
			oak.write(func(tx *store.Tx) error {
				for range b.N {
					o := community.Outgoing{ID: tx.NewID(), Verb: community.VerbCreate, ActorID: amira.ID, Body: body, State: "spread", CreatedAt: tx.Now}
					if err := tx.Create(&o).Error; err != nil {
						return err
					}
					if err := insertDeliveries(tx, o, []community.Target{{Host: elm.host, Inbox: elm.site.SharedInbox()}}, nil); err != nil {
						return err
					}
				}
				return enter(tx, deliveriesQueue, elm.host)
			})
			private, err := sig.ParsePrivateKey(keyPairs()[0].Private)
			if err != nil {
				b.Fatal(err)
			}
			sign := signCost(private.(*rsa.PrivateKey))
			oak.run()
			b.ResetTimer()
			start := cpu()
			for oak.count("SELECT COUNT(*) FROM lanes WHERE waiting AND queue = 'deliveries'") > 0 {
				time.Sleep(10 * time.Millisecond)
			}
			used := cpu() - start
			b.StopTimer()
			if n := oak.count("SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'"); n != b.N {
				b.Errorf("%d of %d were delivered", n, b.N)
			}
			b.ReportMetric(float64(used)/float64(b.N)/float64(sign), "×sign")
		})
	}
}

// signCost is the processor time of one RSA-2048 signature here and now.
func signCost(key *rsa.PrivateKey) time.Duration {
	sum := sha256.Sum256([]byte("x"))
	const times = 200
	start := cpu()
	for range times {
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]); err != nil {
			return 1
		}
	}
	return (cpu() - start) / times
}
