// Renders templates of a chart: what they may know comes as JSON, their files are the arguments, those called .yaml are
// written. It knows the functions of Helm's that the charts of the bundle use, and stops at any other.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"reflect"
	"strings"
	"text/template"
)

func empty(value any) bool {
	if value == nil {
		return true
	}
	seen := reflect.ValueOf(value)
	if kind := seen.Kind(); kind == reflect.Map || kind == reflect.Slice {
		return seen.Len() == 0
	}
	return seen.IsZero()
}

func indent(spaces int, text string) string {
	margin := strings.Repeat(" ", spaces)
	return margin + strings.ReplaceAll(text, "\n", "\n"+margin)
}

func quote(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprintf("%q", fmt.Sprint(value))
}

func functions(set *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var text strings.Builder
			err := set.ExecuteTemplate(&text, name, data)
			return text.String(), err
		},
		"default": func(other, value any) any {
			if empty(value) {
				return other
			}
			return value
		},
		// JSON is YAML as well.
		"toYaml": func(value any) (string, error) {
			text, err := json.Marshal(value)
			return string(text), err
		},
		"hasKey":     func(values map[string]any, key string) bool { _, found := values[key]; return found },
		"fail":       func(message string) (string, error) { return "", fmt.Errorf("%s", message) },
		"quote":      quote,
		"indent":     indent,
		"nindent":    func(spaces int, text string) string { return "\n" + indent(spaces, text) },
		"contains":   func(part, text string) bool { return strings.Contains(text, part) },
		"replace":    func(former, other, text string) string { return strings.ReplaceAll(text, former, other) },
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"trunc":      func(most int, text string) string { return text[:min(most, len(text))] },
	}
}

func main() {
	log.SetFlags(0)
	set := template.New("")
	set.Funcs(functions(set))
	var known map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&known); err != nil {
		log.Fatal(err)
	}
	for _, file := range os.Args[1:] {
		text, err := os.ReadFile(file)
		if err == nil {
			_, err = set.New(file).Parse(string(text))
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	for _, file := range os.Args[1:] {
		var text bytes.Buffer
		if err := set.ExecuteTemplate(&text, file, known); err != nil {
			log.Fatal(err)
		}
		// What is not said is nothing, and what is not switched on is no object.
		written := strings.TrimSpace(strings.ReplaceAll(text.String(), "<no value>", ""))
		if strings.HasSuffix(file, ".yaml") && written != "" {
			fmt.Printf("---\n%s\n", written)
		}
	}
}
