package completion

import "text/template"

// bash works with the bash 3.2 of macOS too. There "=" and ":" part words, so a flag's value may stand three words on.
var bash = template.Must(template.New("bash").Funcs(functions).Parse(
	`# bash completion for {{.Name}}. Load it with: source <({{.Name}} completion bash)
_{{.Function}}_complete() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i
    COMPREPLY=()
{{- range $i, $word := .Words}}{{if $i}}
    if (( COMP_CWORD == {{$i}} )); then
        COMPREPLY=($(compgen -W {{quote $word}} -- "$cur"))
        return
    fi
    [[ ${COMP_WORDS[{{$i}}]} == {{quote $word}} ]] || return
{{- end}}{{end}}
    for (( i = {{len .Words}}; i < COMP_CWORD; i++ )); do
        case ${COMP_WORDS[i]} in
{{- range .Global}}{{if .Takes}}
            --{{.Name}}) (( i++ )) ;;
{{- end}}{{end}}
            {{range $i, $c := .Commands}}{{if $i}}|{{end}}{{$c.Name}}{{end}}) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    if [[ $cur == : || $prev == : ]]; then # the rest of file:PATH
        COMPREPLY=($(compgen -f -- "${cur#:}"))
        return
    fi
    case $command$prev in
{{- range .Global}}{{if .Takes}}
        *--{{.Name}}){{if .File}} COMPREPLY=($(compgen -f -- "$cur"));{{end}} return ;;
{{- end}}{{end}}
{{- range $c := .Commands}}{{range .Flags}}{{if .Takes}}
        {{$c.Name}}--{{.Name}}){{if .Values}} COMPREPLY=($(compgen -W {{quote (join .Values " ")}} -- "$cur"));{{end}} return ;;
{{- end}}{{end}}{{end}}
    esac
    case $command in
{{- range .Commands}}
        {{.Name}}) COMPREPLY=($(compgen -W {{quote (offers .Words .Flags $.Global)}} -- "$cur")) ;;
{{- end}}
        *) COMPREPLY=($(compgen -W {{quote (offers (commands .) .Global)}} -- "$cur")) ;;
    esac
}
complete -F _{{.Function}}_complete {{index .Words 0}}
`))
