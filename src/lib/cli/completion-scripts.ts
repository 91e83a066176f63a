/** What shells load once; the names themselves come from `k8sops __complete` at each Tab. */
import { UsageError } from '../errors.ts'

// Each script hands over the words up to the cursor, the last one being typed (possibly empty), and gets one candidate
// a line back: `name<TAB>description`, and Cobra's directive (`:4`), which is dropped here.
const scripts: Record<string, string> = {
  bash: `_k8sops() {
  local IFS=$'\\n'
  COMPREPLY=($(k8sops __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | grep -v '^:' | cut -f1))
  [[ \${#COMPREPLY[@]} -eq 0 ]] && compopt -o default
}
complete -F _k8sops k8sops`,
  zsh: `#compdef k8sops
_k8sops() {
  local -a found
  local line name about
  while IFS= read -r line; do
    [[ $line == :* ]] && continue
    name=\${line%%$'\\t'*}
    about=\${line#*$'\\t'}
    [[ $about == $line ]] && about=''
    found+=("\${name//:/\\\\:}\${about:+:$about}")
  done < <(k8sops __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && _describe k8sops found || _files
}
compdef _k8sops k8sops`,
  fish: `function __k8sops_complete
  set -l words (commandline -opc) (commandline -ct)
  k8sops __complete -- $words[2..-1] 2>/dev/null | string match -v ':*'
end
complete -c k8sops -f -a '(__k8sops_complete)'`,
}

/** @throws UsageError for another shell */
export function completionScript(shell: string): string {
  const script = scripts[shell]
  if (script) return script
  throw new UsageError(`no completion for ${shell}`, { next: `one of ${Object.keys(scripts).join(', ')}` })
}
