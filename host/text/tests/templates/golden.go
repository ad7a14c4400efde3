// Runs the templates of cases.txt through Go's own text/template and writes what comes out beside them:
//
//	go run golden.go < cases.txt > new.txt && mv new.txt cases.txt
//
// The data and the functions are those of ../templates.rs.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"text/template"
	"time"
)

type KV map[string]string

type Pair struct{ Name, Value string }

type Pairs []Pair

func (kv KV) SortedPairs() Pairs {
	var pairs Pairs
	for k, v := range kv {
		pairs = append(pairs, Pair{k, v})
	}
	sort.Slice(pairs, func(i, j int) bool { return pairs[i].Name < pairs[j].Name })
	return pairs
}

func (kv KV) Get(name string, fallback ...string) string {
	if v, ok := kv[name]; ok {
		return v
	}
	return strings.Join(fallback, "|")
}

func (ps Pairs) Values() []string {
	var values []string
	for _, p := range ps {
		values = append(values, p.Value)
	}
	return values
}

type Data struct {
	Name   string
	Labels KV
	Int    int
	Zero   int
	Float  float64
	Big    float64
	True   bool
	Time   time.Time
	Dur    time.Duration
	List   []string
	None   []string
	Any    map[string]interface{}
	Mixed  []interface{}
}

func main() {
	data := Data{
		Name:   "héllo <b>",
		Labels: KV{"severity": "critical", "instance": "a:1", "zone": ""},
		Int:    42,
		Float:  1.5,
		Big:    1234567,
		True:   true,
		Time:   time.Date(2015, 6, 23, 13, 19, 44, 128000000, time.UTC),
		Dur:    90*time.Second + 500*time.Millisecond,
		List:   []string{"x", "y", "z"},
		Any:    map[string]interface{}{"a": 1, "b": "two", "nil": nil, "list": []interface{}{1, "x", nil, 2.5}, "map": map[string]interface{}{"k": 1e6}},
		Mixed:  []interface{}{1, "a", 2.5, true, nil},
	}
	funcs := template.FuncMap{
		"upper":  strings.ToUpper,
		"join":   func(sep string, s []string) string { return strings.Join(s, sep) },
		"fail":   func(s string) (string, error) { return "", errors.New("failed: " + s) },
		"half":   func(x float64) float64 { return x / 2 },
		"twice":  func(n int) int { return 2 * n },
		"isTrue": func(b bool) bool { return b },
		"kv":     func(kv KV) int { return len(kv) },
		"any":    func(args ...interface{}) int { return len(args) },
		"pair":   func(a string, rest ...string) string { return a + ":" + strings.Join(rest, "+") },
		"later":  func(d time.Duration) string { return d.String() },
		"year":   func(t time.Time) int { return t.Year() },
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := in.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			fmt.Println(line)
			continue
		}
		if strings.HasPrefix(line, "=") {
			continue
		}
		option, text, found := strings.Cut(line, "!")
		if !found || strings.Contains(option, "{") || strings.Contains(option, " ") {
			option, text = "default", line
		}
		fmt.Println(line)
		var out strings.Builder
		t, err := template.New("t").Funcs(funcs).Option("missingkey=" + option).Parse(strings.ReplaceAll(text, "⏎", "\n"))
		if err == nil {
			err = t.Execute(&out, data)
		}
		result := "= " + out.String()
		if err != nil {
			result = "=! " + err.Error()
		}
		fmt.Println(strings.ReplaceAll(result, "\n", "⏎"))
	}
}
