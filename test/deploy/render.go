// Renders the templates of a Helm chart: text/template is what Helm runs them with, and these are the functions of Helm that
// the chart uses. It reads {"templates": {name: text}, "values": …, "release": …, "chart": …} and writes {name: text}.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"text/template"
)

type asked struct {
	Templates map[string]string      `json:"templates"`
	Values    map[string]interface{} `json:"values"`
	Release   map[string]interface{} `json:"release"`
	Chart     map[string]interface{} `json:"chart"`
}

func empty(given interface{}) bool {
	truth, ok := template.IsTrue(given)
	return !ok || !truth
}

func main() {
	var given asked
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	all := template.New("chart").Option("missingkey=zero")
	indented := func(spaces int, text string) string {
		pad := strings.Repeat(" ", spaces)
		return pad + strings.ReplaceAll(text, "\n", "\n"+pad)
	}
	all.Funcs(template.FuncMap{
		"include": func(name string, with interface{}) (string, error) {
			var out bytes.Buffer
			err := all.ExecuteTemplate(&out, name, with)
			return out.String(), err
		},
		"fail": func(why string) (string, error) { return "", errors.New(why) },
		"default": func(otherwise, found interface{}) interface{} {
			if empty(found) {
				return otherwise
			}
			return found
		},
		"quote": func(text interface{}) string { return fmt.Sprintf("%q", fmt.Sprint(text)) },
		// JSON is YAML.
		"toYaml": func(value interface{}) (string, error) {
			text, err := json.Marshal(value)
			return string(text), err
		},
		"indent":  indented,
		"nindent": func(spaces int, text string) string { return "\n" + indented(spaces, text) },
		"int": func(value interface{}) int {
			number := reflect.ValueOf(value)
			if number.Kind() == reflect.Float64 {
				return int(number.Float())
			}
			return int(number.Int())
		},
		"join": func(between string, list []interface{}) string {
			texts := make([]string, len(list))
			for at, each := range list {
				texts[at] = fmt.Sprint(each)
			}
			return strings.Join(texts, between)
		},
		"dict": func(pairs ...interface{}) map[string]interface{} {
			made := map[string]interface{}{}
			for at := 0; at+1 < len(pairs); at += 2 {
				made[fmt.Sprint(pairs[at])] = pairs[at+1]
			}
			return made
		},
	})
	for name, text := range given.Templates {
		if _, err := all.New(name).Parse(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	with := map[string]interface{}{"Values": given.Values, "Release": given.Release, "Chart": given.Chart}
	made := map[string]string{}
	for name := range given.Templates {
		if strings.HasSuffix(name, ".tpl") {
			continue
		}
		var out bytes.Buffer
		if err := all.ExecuteTemplate(&out, name, with); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		made[name] = out.String()
	}
	json.NewEncoder(os.Stdout).Encode(made)
}
