// An agent's Go program on net/http: prints the body and the status of one refund.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

func main() {
	base, key, amount := os.Args[1], os.Args[2], os.Args[3]
	form := url.Values{"charge": {"ch_A"}, "amount": {amount}}
	ask, err := http.NewRequest("POST", base+"/v1/refunds", strings.NewReader(form.Encode()))
	if err != nil {
		panic(err)
	}
	ask.Header.Set("Authorization", "Bearer "+key)
	ask.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	reply, err := http.DefaultClient.Do(ask)
	if err != nil {
		panic(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n%d", body, reply.StatusCode)
}
