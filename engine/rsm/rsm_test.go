package rsm

import (
	"fmt"
	"testing"

	"meerkat/xml"
)

func read(t *testing.T, content string) (Request, bool) {
	t.Helper()
	var doc xml.Doc
	e, err := doc.Parse([]byte("<query xmlns='urn:q'>"+content+"</query>"), "jabber:client")
	if err != nil {
		t.Fatal(err)
	}
	return Read(e)
}

func set(content string) string { return "<set xmlns='" + Space + "'>" + content + "</set>" }

func TestRead(t *testing.T) {
	for content, want := range map[string]Request{
		"":                                {Max: -1, Index: -1},
		set(""):                           {Present: true, Max: -1, Index: -1},
		set("<max>10</max>"):              {Present: true, Max: 10, Index: -1},
		set("<max>0</max><x/>"):           {Present: true, Max: 0, Index: -1},
		set("<index>7</index>"):           {Present: true, Max: -1, Index: 7},
		set("<after>a&amp;b</after>"):     {Present: true, Max: -1, Index: -1, After: "a&b", HasAfter: true},
		set("<before/>"):                  {Present: true, Max: -1, Index: -1, HasBefore: true},
		set("<before>b</before>"):         {Present: true, Max: -1, Index: -1, Before: "b", HasBefore: true},
		set("<max xmlns='urn:x'>-</max>"): {Present: true, Max: -1, Index: -1},
	} {
		if got, ok := read(t, content); !ok || got != want {
			t.Errorf("%s is read as %+v %v, want %+v", content, got, ok, want)
		}
	}
	for _, content := range []string{"<max/>", "<max>-1</max>", "<max>1e3</max>", "<max>99999999999</max>", "<index>x</index><max>1</max>"} {
		if got, ok := read(t, set(content)); ok {
			t.Errorf("%s is read as %+v, want a refusal", content, got)
		}
	}
}

// Ten items, 0 to 9. Which of them a request gets.
func TestSlice(t *testing.T) {
	for _, test := range []struct {
		request       string
		after, before int
		limit         int
		want          string
	}{
		{"", -1, 10, 4, "0-4"},
		{"", -1, 10, 40, "0-10"},
		{"<max>0</max>", -1, 10, 0, "0-0"},
		{"<after>3</after>", 3, 10, 4, "4-8"},
		{"<after>8</after>", 8, 10, 4, "9-10"},
		{"<after>9</after>", 9, 10, 4, "10-10"},
		{"<before/>", -1, 10, 4, "6-10"},
		{"<before>6</before>", -1, 6, 4, "2-6"},
		{"<before>2</before>", -1, 2, 4, "0-2"},
		{"<before>0</before>", -1, 0, 4, "0-0"},
		{"<index>5</index>", -1, 10, 4, "5-9"},
		{"<index>9</index>", -1, 10, 4, "9-10"},
		{"<index>50</index>", -1, 10, 4, "10-10"},
		{"<after>2</after><before>8</before>", 2, 8, 3, "5-8"},
		{"<after>8</after><before>2</before>", 8, 2, 3, "9-9"},
	} {
		r, ok := read(t, set(test.request))
		if !ok {
			t.Fatal(test.request)
		}
		first, end := r.Slice(test.after, test.before, test.limit)
		if got := fmt.Sprintf("%d-%d", first, end); got != test.want {
			t.Errorf("%s, at most %d: %s, want %s", test.request, test.limit, got, test.want)
		}
	}
}

func TestLimit(t *testing.T) {
	for max, want := range map[int]int{-1: 50, 0: 0, 7: 7, 200: 200, 5000: 250} {
		if got := (Request{Max: max}).Limit(50, 250); got != want {
			t.Errorf("%d asked for: %d, want %d", max, got, want)
		}
	}
}

func TestPage(t *testing.T) {
	for _, test := range []struct {
		p    Page
		want string
	}{
		{Page{"a", "z", 3, 9}, "<first index='3'>a</first><last>z</last><count>9</count>"},
		{Page{"a", "z", -1, -1}, "<first>a</first><last>z</last>"},
		{Page{"", "", -1, 0}, "<count>0</count>"},
	} {
		var b xml.Builder
		test.p.Append(b.Reset(nil, Space).Start("fin", ""))
		got, want := string(b.End().Bytes()), "<fin><set>"+test.want+"</set></fin>"
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
