package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"meerkat/bench/report"
)

// table prints results of the same scenarios side by side, in Markdown: one row
// a figure, one column a server, and how many times the first server's each is.
func table(w io.Writer, files []string) error {
	if len(files) == 0 {
		return usageError("table needs files written by -json")
	}
	var rows []string
	var servers []string
	cells := map[string]map[string]float64{}
	for _, f := range files {
		r, err := report.ReadJSON(f)
		if err != nil {
			return err
		}
		if !slices.Contains(servers, r.Server) {
			servers = append(servers, r.Server)
		}
		for _, c := range r.Chosen() {
			if cells[c.Name] == nil {
				cells[c.Name] = map[string]float64{}
				rows = append(rows, c.Name)
			}
			cells[c.Name][r.Server] = c.Value
		}
	}
	fmt.Fprintf(w, "| | %s |\n|---|%s\n", strings.Join(servers, " | "), strings.Repeat("---:|", len(servers)))
	for _, name := range rows {
		fmt.Fprintf(w, "| %s |%s\n", name, line(cells[name], servers))
	}
	return nil
}

func line(values map[string]float64, servers []string) string {
	var b strings.Builder
	for i, s := range servers {
		v, ok := values[s]
		base, known := values[servers[0]]
		switch {
		case !ok:
			b.WriteString(" – |")
		case i > 0 && known && base > 0:
			fmt.Fprintf(&b, " %s (%.1fx) |", report.Number(v), v/base)
		default:
			fmt.Fprintf(&b, " %s |", report.Number(v))
		}
	}
	return b.String()
}
