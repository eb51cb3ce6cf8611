package testnet_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/testnet"
)

// What is no text is asked for in every place where a visitor may put words. It
// is not found, or refused; it is never a failure of the server, and
// PostgreSQL would make it one.
func TestOddBytes(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak := net.Start("oak.test")
		amira := oak.Teacher("amira")
		amira.Publish("Exit tickets")
		client := net.Client()
		for _, odd := range []string{"%00", "%ff", "%c0%80", "%ed%a0%80", "a%00b", "%f0%28%8c%28"} {
			for _, path := range []string{"/search?q=", "/tags/", "/@", "/@amira@", "/posts/", "/media/", "/media/files/", "/join/", "/setup/", "/oauth/authorize?client_id=", "/people?q=", "/people?after=",
				"/.well-known/webfinger?resource=", "/.well-known/webfinger?resource=acct:", "/.well-known/webfinger?resource=https://oak.test/u/", "/o/", "/u/", "/c/", "/a/", "/f/", "/nodeinfo/",
				"/api/v2/search?q=", "/api/v1/accounts/lookup?acct=", "/api/v1/statuses/", "/api/v1/timelines/tag/", "/api/v1/timelines/public?max_id=", "/api/v1/accounts/search?q=", "/api/v1/instance?x=", "/sign-in?next=", "/?"} {
				for _, address := range []string{path + odd, path + odd + "@oak.test"} {
					res, err := client.Get("https://oak.test" + address)
					if err != nil {
						t.Fatal(err)
					}
					res.Body.Close()
					if res.StatusCode >= 500 {
						t.Errorf("GET %s: %s", address, res.Status)
					}
				}
			}
			raw, _ := url.QueryUnescape(odd)
			form := url.Values{}
			for _, name := range []string{"login", "email", "username", "password", "name", "text", "grant_type", "client_id", "client_secret", "code", "redirect_uri", "client_name", "redirect_uris", "scopes", "website", "token"} {
				form.Set(name, raw)
			}
			for _, path := range []string{"/sign-in", "/request", "/join/x", "/oauth/token", "/oauth/revoke", "/api/v1/apps", "/posts"} {
				req, err := http.NewRequest(http.MethodPost, "https://oak.test"+path, strings.NewReader(form.Encode()))
				if err != nil {
					t.Fatal(err)
				}
				req.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {"https://oak.test"}, "Sec-Fetch-Site": {"same-origin"},
					"Cookie": {"__Host-chalkring=\xff\xfe; chalkring_flash=" + odd}, "Authorization": {"Bearer \xff\xfe"}, "Accept-Language": {"\xff"}}
				res, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode >= 500 {
					t.Errorf("POST %s with %s: %s", path, odd, res.Status)
				}
			}
		}
	})
}
