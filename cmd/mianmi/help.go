package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/mianmi/mianmi"
)

// localeNames are the variables that say the language; the first that is set
// counts (POSIX, 8.2).
var localeNames = []string{"LC_ALL", "LC_MESSAGES", "LANG"}

// chooseLang is the language before flags are parsed: --lang, MIANMI_LANG, or
// Chinese where the locale is Chinese and English where it is anything else.
func chooseLang(args, environ []string) mianmi.Lang {
	if v, ok := flagValue(args, "lang"); ok {
		return mianmi.ParseLang(v)
	}
	if v, _ := env(environ, envName("lang")); v != "" {
		return mianmi.ParseLang(v)
	}
	for _, name := range localeNames {
		if v, _ := env(environ, name); v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				return mianmi.ZH
			}
			return mianmi.EN
		}
	}
	return mianmi.EN
}

// translate puts the Chinese help of each flag and subcommand in the place of
// the English one, and names each flag's environment variable.
func translate(n *kong.Node, lang mianmi.Lang) {
	if n.Tag != nil {
		n.Help = pick(n.Tag, n.Help, lang)
	}
	for _, f := range n.Flags {
		f.Help = pick(f.Tag, f.Help, lang)
		if f.Name == "help" {
			f.Help = mianmi.Text{ZH: "显示帮助。", EN: "Show help."}.In(lang)
			continue
		}
		f.Help += fmt.Sprintf(" ($%s%s)", envName(f.Name), byDefault(f, lang))
	}
	for _, p := range n.Positional {
		p.Help = pick(p.Tag, p.Help, lang)
	}
	for _, child := range n.Children {
		translate(child, lang)
	}
}

// byDefault tells a flag's default, if it has one.
func byDefault(f *kong.Flag, lang mianmi.Lang) string {
	if f.Default == "" {
		return ""
	}
	return mianmi.Text{ZH: "，默认 ", EN: ", default "}.In(lang) + f.Default
}

func pick(tag *kong.Tag, english string, lang mianmi.Lang) string {
	if zh := tag.Get("zh"); lang == mianmi.ZH && zh != "" {
		return zh
	}
	return english
}

// kong's own words, at the start of a line.
var kongWords = strings.NewReplacer(
	"\nUsage:", "\n用法：", "\nFlags:", "\n参数：", "\nCommands:", "\n命令：", "\nArguments:", "\n位置参数：",
	"\nRun \"", "\n运行 \"", "--help\" for more information on a command.", "--help\" 查看各命令的说明。",
)

// helpIn prints help in the language.
func helpIn(lang mianmi.Lang) kong.HelpPrinter {
	return func(o kong.HelpOptions, ctx *kong.Context) error {
		var text bytes.Buffer
		out := ctx.Stdout
		ctx.Stdout = &text
		err := kong.DefaultHelpPrinter(o, ctx)
		ctx.Stdout = out
		if err != nil {
			return err
		}
		page := text.String()
		if lang == mianmi.ZH {
			page = strings.TrimPrefix(kongWords.Replace("\n"+page), "\n")
		}
		_, err = out.Write([]byte(page))
		return err
	}
}
