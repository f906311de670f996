# Completion of streamtensor in bash: source this file (zsh: first
# autoload -U bashcompinit && bashcompinit). Commands and options are what
# --help tells.
_streamtensor() {
  local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words=$("$program" --help 2>/dev/null |
      sed -n '/^commands/,$s/^  \([a-z]*\) .*/\1/p')
  elif [[ $word == -* ]]; then
    words=$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null |
      grep -oE '(^|[ ,[])--?[a-zA-Z][a-z-]*' | tr -d ' ,[' | sort -u)
  elif [[ ${COMP_WORDS[1]} == emit && $COMP_CWORD -eq 2 ]]; then
    words='hls rtl'
  elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --device ]]; then
    words='sim interp hls rtl'
  else
    return # files, by -o default
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _streamtensor streamtensor ./streamtensor
