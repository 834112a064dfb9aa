package bench

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// scrapeTime is how long a machine full of sessions may take to answer.
const scrapeTime = 2 * time.Minute

// scrape reads the metrics of a server (Prometheus's text format) from
// http://addr/metrics, by their names with all labels.
func scrape(addr string) (map[string]float64, error) {
	client := http.Client{Timeout: scrapeTime}
	resp, err := client.Get("http://" + addr + "/metrics")
	if err != nil {
		return nil, fmt.Errorf("bench: metrics: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("bench: metrics: %s of %s", resp.Status, addr)
	}
	return metrics(resp.Body)
}

func metrics(r io.Reader) (map[string]float64, error) {
	m := map[string]float64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		i := strings.LastIndexByte(line, ' ')
		if v, err := strconv.ParseFloat(line[i+1:], 64); err == nil && i > 0 && line[0] != '#' {
			m[line[:i]] = v
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("bench: metrics: %w", err)
	}
	return m, nil
}
