/** `k8sops help TOPIC`: what is true of every command. */

export const helpTopics: Record<string, { summary: string; text: string }> = {
  'exit-codes': {
    summary: 'what the exit code of a command means',
    text: `Exit codes

    0  done, or nothing to do
    1  failed: a tool failed before anything was changed, or something is broken (doctor)
    2  usage or configuration: wrong option, wrong file, missing tool; nothing was touched
    3  a gate does not hold, a saved plan is out of date, or something was found (validate, diff)
    4  the cluster does not answer, or does not let us in
    5  locked: another run works on the same cluster or app; the message names who, where and which step
    6  stopped after something was changed; \`k8sops run resume\` goes on
  130  interrupted (Ctrl-C) before anything was changed; after it: 6`,
  },
  environment: {
    summary: 'environment variables',
    text: `Environment

  K8SOPS_<OPTION>   every option, in capitals and with _ for -: K8SOPS_CLUSTER=apps, K8SOPS_LAB=true, K8SOPS_DRY_RUN=1.
                    The command line wins. Switches take true/false, 1/0, yes/no, on/off; lists are separated by commas.
  KUBECONFIG        kubeconfig files; the first with a cluster's context is used (default ~/.kube/config)
  NO_COLOR          no colours. FORCE_COLOR: colours without a terminal
  GITHUB_ACTIONS    true: groups, annotations and a step summary
  XDG_CACHE_HOME    built tools are in <it>/k8sops (or in K8SOPS_CACHE)
  XDG_STATE_HOME    labs are in <it>/k8sops/labs
  OP_*              handed to op (1Password) and to nothing else

Commands that a run starts see HOME, PATH, locale, proxies and XDG_* of this environment, not the rest.
They also carry K8SOPS_RUN and K8SOPS_STEP, by which a later process finds what a killed run left behind, and
K8SOPS_GUARD, by which it is ended.`,
  },
  concepts: {
    summary: 'cluster, plan, step, gate, run, lab',
    text: `Concepts

  cluster   a directory under kubernetes/clusters/
  plan      ordered steps as plain JSON, made from observed state; --dry-run prints it, --plan-out saves it
  step      one action with \`unless\` (already true: skip), \`require\` (must hold first), \`verify\` (must hold afterwards),
            a time limit, and what Ctrl-C does to it
  gate      a named fact about a cluster, read from live state: pass, fail or unknown. Unknown never passes
  run       one execution of a plan: lock, journal, logs, result, in .k8sops/runs/<id>
  hold      something an operator holds open on purpose, with owner, reason and expiry
  rollout   promotion of a commit from one cluster to the next after a soak that collects evidence
  lab       the rehearsal cluster on this machine. --lab runs the very same plan against it

A step is skipped because live state says so, never because a file says that it ran before. So every operation can
be started again, and \`k8sops run resume\` can go on after Ctrl-C, a crash or kill -9.

Ctrl-C once: steps that must not be left half done finish, then the run stops. Twice: everything ends now.
Either way the journal is written and the command to go on is printed.`,
  },
}
