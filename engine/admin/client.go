package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"meerkat/engine/auth"
	"meerkat/engine/depot"
	"meerkat/engine/invite"
)

// ErrStopped says that no server runs on a data directory.
var ErrStopped = errors.New("admin: no server is running")

// Client asks the server of a data directory. It is an Accounts and
// an Uploads.
type Client struct {
	path string
	http http.Client
}

// Dial finds the server of dir, or fails with ErrStopped.
func Dial(dir string) (*Client, error) {
	path := filepath.Join(dir, SocketName)
	conn, err := dial(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("%w on %s", ErrStopped, dir)
	case err != nil:
		return nil, fmt.Errorf("admin: connect to %s: %w", path, err)
	}
	conn.Close()
	c := &Client{path: path}
	c.http.Timeout = 5 * time.Minute
	c.http.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial(dir) }}
	return c, nil
}

// Close gives the connection back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks how the server is.
func (c *Client) Status() (s Status, err error) {
	return s, c.do("GET", "/v1/status", nil, &s)
}

// Collect has the server collect its garbage and give memory back.
func (c *Client) Collect() (left Collected, err error) {
	return left, c.do("POST", "/v1/gc", nil, &left)
}

// Add is Accounts'.
func (c *Client) Add(jid, password string) error {
	return c.do("POST", "/v1/accounts", request{jid, password}, nil)
}

// SetPassword is Accounts'.
func (c *Client) SetPassword(jid, password string) error {
	return c.do("PUT", "/v1/accounts/"+url.PathEscape(jid)+"/password", request{Password: password}, nil)
}

// Revoke is Accounts'.
func (c *Client) Revoke(jid string) error {
	return c.do("DELETE", "/v1/accounts/"+url.PathEscape(jid)+"/tokens", nil, nil)
}

// Disable is Accounts'.
func (c *Client) Disable(jid string) error {
	return c.do("POST", "/v1/accounts/"+url.PathEscape(jid)+"/disable", nil, nil)
}

// Enable is Accounts'.
func (c *Client) Enable(jid string) error {
	return c.do("POST", "/v1/accounts/"+url.PathEscape(jid)+"/enable", nil, nil)
}

// Remove is Accounts'.
func (c *Client) Remove(jid string) error {
	return c.do("DELETE", "/v1/accounts/"+url.PathEscape(jid), nil, nil)
}

// List is Accounts'.
func (c *Client) List(prefix, after string, n int) ([]string, error) {
	q := url.Values{"prefix": {prefix}, "after": {after}, "limit": {strconv.Itoa(min(n, maxPage))}}
	var p Page
	err := c.do("GET", "/v1/accounts?"+q.Encode(), nil, &p)
	return p.Accounts, err
}

// Invite is Accounts'.
func (c *Client) Invite(address string) (l invite.Link, err error) {
	return l, c.do("POST", "/v1/invitations", request{JID: address}, &l)
}

// ListUploads is Uploads'.
func (c *Client) ListUploads(prefix, after string, n int) ([]depot.Owner, error) {
	q := url.Values{"prefix": {prefix}, "after": {after}, "limit": {strconv.Itoa(min(n, maxPage))}}
	var p UploadPage
	err := c.do("GET", "/v1/uploads?"+q.Encode(), nil, &p)
	return p.Uploads, err
}

// RemoveUploads is Uploads'.
func (c *Client) RemoveUploads(jid string) (was depot.Owner, err error) {
	return was, c.do("DELETE", "/v1/uploads/"+url.PathEscape(jid), nil, &was)
}

// do sends in, if it is not nil, and reads the answer into out, if that is not.
func (c *Client) do(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("admin: %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, "http://meerkat"+path, body)
	if err != nil {
		return fmt.Errorf("admin: %s %s: %w", method, path, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("admin: the server at %s did not answer: %w", c.path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		return refusal(resp)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("admin: %s %s: unreadable answer: %w", method, path, err)
	}
	return nil
}

// refused is an error of the server's, with its words.
type refused struct {
	text string
	kind error
}

func (r *refused) Error() string { return r.text }
func (r *refused) Unwrap() error { return r.kind }

// refusal is the error that the server answered with.
func refusal(resp *http.Response) error {
	var e struct{ Error string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&e); err != nil || e.Error == "" {
		e.Error = "admin: the server answered " + resp.Status
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		return &refused{e.Error, auth.ErrNoAccount}
	case http.StatusConflict:
		return &refused{e.Error, auth.ErrExists}
	}
	return &refused{text: e.Error}
}
