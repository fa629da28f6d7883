package completion

import "text/template"

var zsh = template.Must(template.New("zsh").Funcs(functions).Parse(
	`#compdef {{index .Words 0}}
# zsh completion for {{.Name}}.
_{{.Function}}_complete() {
    local curcontext=$curcontext state line
    typeset -A opt_args
{{- range $i, $word := .Words}}{{if $i}}
    if (( CURRENT == 2 )); then
        compadd -- {{quote $word}}
        return
    fi
    [[ $words[2] == {{quote $word}} ]] || return 1
    shift words
    (( CURRENT-- ))
{{- end}}{{end}}
    local -a commands global
    commands=(
{{- range .Commands}}
        {{quote (described .Name .Help)}}
{{- end}}
    )
    global=(
{{- range .Global}}
        {{quote (spec .)}}
{{- end}}
    )
    _arguments -C $global '1: :->command' '*:: :->rest'
    case $state in
        command) _describe command commands ;;
        rest)
            case $words[1] in
{{- range .Commands}}
                {{.Name}}) _arguments $global{{range .Flags}} \
                    {{quote (spec .)}}{{end}}{{if .Words}} \
                    '1: :({{join .Words " "}})'{{end}} ;;
{{- end}}
            esac ;;
    esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _{{.Function}}_complete "$@"
else
    compdef _{{.Function}}_complete {{index .Words 0}}
fi
`))
