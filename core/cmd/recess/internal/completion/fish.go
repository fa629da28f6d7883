package completion

import "text/template"

// fish has no word for "the command so far", so the script brings a function: it is true if the command is the one
// given, or, given nothing, if there is none yet.
var fish = template.Must(template.New("fish").Funcs(functions).Parse(
	`# fish completion for {{.Name}}. Load it with: {{.Name}} completion fish | source
function __{{.Function}}_command
    set -l words (commandline -opc)
{{- range $i, $word := .Words}}{{if $i}}
    test "$words[2]" = {{fishQuote $word}}; or return 1
    set -e words[2]
{{- end}}{{end}}
    set -e words[1]
    set -l skip 0
    for word in $words
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
{{- range .Global}}{{if .Takes}}
            case --{{.Name}}
                set skip 1
{{- end}}{{end}}
            case '-*'
            case '*'
                contains -- $word $argv
                return
        end
    end
    test (count $argv) = 0
end
{{- range $i, $word := .Words}}{{if $i}}
complete -c {{index $.Words 0}} -n '__fish_is_nth_token {{$i}}' -a {{fishQuote $word}}
{{- end}}{{end}}
{{- $program := index .Words 0}}{{$function := .Function}}
{{- range .Commands}}
complete -c {{$program}} -f -n __{{$function}}_command -a {{.Name}} -d {{fishQuote .Help}}
{{- end}}
{{- range $c := .Commands}}
{{- range .Flags}}
complete -c {{$program}} -f -n {{fishQuote (print "__" $function "_command " $c.Name)}} -l {{.Name}}{{if .Takes}} -x{{end}}{{if .Values}} -a {{fishQuote (join .Values " ")}}{{end}} -d {{fishQuote .Help}}
{{- end}}
{{- if .Words}}
complete -c {{$program}} -f -n {{fishQuote (print "__" $function "_command " $c.Name)}} -a {{fishQuote (join .Words " ")}}
{{- end}}
{{- end}}
{{- range .Global}}
complete -c {{$program}} -n {{fishQuote (print "__" $function "_command; or __" $function "_command " (join (commands $) " "))}} -l {{.Name}}{{if .Short}} -s {{.Short}}{{end}}{{if .Takes}}{{if .File}} -r -F{{else}} -x{{end}}{{end}} -d {{fishQuote .Help}}
{{- end}}
`))
