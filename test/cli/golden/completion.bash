# spendgate completion for bash. Put into ~/.bashrc:  eval "$(spendgate completion bash)"
_spendgate() {
  local current=${COMP_WORDS[COMP_CWORD]} at='' words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${at:+$at }${COMP_WORDS[i]}" in
      'serve' | 'demo' | 'doctor' | 'init' | 'setup' | 'connect' | 'run' | 'mcp' | 'credential' | 'credential add' | 'credential list' | 'credential show' | 'credential rotate' | 'credential refresh' | 'credential remove' | 'policy' | 'policy add' | 'policy check' | 'policy list' | 'policy show' | 'policy versions' | 'policy test' | 'policy simulate' | 'policy diff' | 'policy suggest' | 'policy observed' | 'policy permissions' | 'import' | 'import janee' | 'key' | 'key create' | 'key list' | 'key show' | 'key narrow' | 'key revoke' | 'key pending' | 'key run' | 'key token' | 'runs' | 'runs list' | 'runs show' | 'spend' | 'calls' | 'calls list' | 'calls resolve' | 'tail' | 'explain' | 'freeze' | 'unfreeze' | 'approvals' | 'approvals list' | 'approvals show' | 'approvals approve' | 'approvals deny' | 'operator' | 'operator add' | 'operator list' | 'operator revoke' | 'operator readmit' | 'rates' | 'rates show' | 'rates set' | 'rates import' | 'prices' | 'prices show' | 'prices import' | 'prices sync' | 'reverse' | 'reconcile' | 'audit' | 'audit verify' | 'audit export' | 'audit public-key' | 'audit retention' | 'audit prune' | 'audit erase' | 'backup' | 'restore' | 'db' | 'db verify' | 'db check' | 'db confirm-restore' | 'db confirm-clock' | 'db rotate-master-key' | 'db reset-admin-token' | 'db copy' | 'completion') at="${at:+$at }${COMP_WORDS[i]}" ;;
    esac
  done
  case $at in
    '') words='serve demo doctor init setup connect run mcp credential policy import key runs spend calls tail explain freeze unfreeze approvals operator rates prices reverse reconcile audit backup restore db completion --version --json --url --data-dir --no-color --help' ;;
    'serve') words='--host --port --admin-host --admin-port --admin-host-names --connect-port --tls-cert --tls-key --insecure-admin --stripe-upstream --twilio-upstream --resend-upstream --stripe-mcp-upstream --upstream-timeout-ms --allow-private-upstreams --checkpoints --config --secret-refs --drain-ms --allow-network-filesystem --reconcile-ms --unlock --log-level --version --json --url --data-dir --no-color --help' ;;
    'demo') words='--stay --version --json --url --data-dir --no-color --help' ;;
    'doctor') words='--client --file --version --json --url --data-dir --no-color --help' ;;
    'init') words='--vendor --daily-cap --customer --sender --recipient --preset --name --policy-file --expires --account-sid --api-key-sid --api-version --secret-stdin --secret-env --secret-file --version --json --url --data-dir --no-color --help' ;;
    'setup') words='--undo --version --json --url --data-dir --no-color --help' ;;
    'connect') words='--key --vendor --file --mode --write --undo --version --json --url --data-dir --no-color --help' ;;
    'run') words='--key --cap --run --expires --via --version --json --url --data-dir --no-color --help' ;;
    'mcp') words='--vendor --key-file --version --json --url --data-dir --no-color --help' ;;
    'credential') words='add list show rotate refresh remove --version --json --url --data-dir --no-color --help' ;;
    'credential add') words='--name --base-url --auth --auth-file --header --username --key-id --client-id --grant-url --scope --account-sid --api-key-sid --secret-stdin --secret-env --secret-file --secret-ref --webhook-secret-stdin --webhook-secret-env --webhook-secret-file --version --json --url --data-dir --no-color --help' ;;
    'credential list') words='--version --json --url --data-dir --no-color --help' ;;
    'credential show') words='--version --json --url --data-dir --no-color --help' ;;
    'credential rotate') words='--account-sid --api-key-sid --secret-stdin --secret-env --secret-file --secret-ref --webhook-secret-stdin --webhook-secret-env --webhook-secret-file --version --json --url --data-dir --no-color --help' ;;
    'credential refresh') words='--version --json --url --data-dir --no-color --help' ;;
    'credential remove') words='--version --json --url --data-dir --no-color --help' ;;
    'policy') words='add check list show versions test simulate diff suggest observed permissions --version --json --url --data-dir --no-color --help' ;;
    'policy add') words='--version --json --url --data-dir --no-color --help' ;;
    'policy check') words='--version --json --url --data-dir --no-color --help' ;;
    'policy list') words='--version --json --url --data-dir --no-color --help' ;;
    'policy show') words='--version --json --url --data-dir --no-color --help' ;;
    'policy versions') words='--version --json --url --data-dir --no-color --help' ;;
    'policy test') words='--fixtures --server --offline --credential --version --json --url --data-dir --no-color --help' ;;
    'policy simulate') words='--since --to --run --key --all-keys --enforce --version --json --url --data-dir --no-color --help' ;;
    'policy diff') words='--version --json --url --data-dir --no-color --help' ;;
    'policy suggest') words='--run --key --from --since --name --headroom --version --json --url --data-dir --no-color --help' ;;
    'policy observed') words='--since --run --key --version --json --url --data-dir --no-color --help' ;;
    'policy permissions') words='--version --json --url --data-dir --no-color --help' ;;
    'import') words='janee --version --json --url --data-dir --no-color --help' ;;
    'import janee') words='--credentials --daily-cap --keys --dry-run --version --json --url --data-dir --no-color --help' ;;
    'key') words='create list show narrow revoke pending run token --version --json --url --data-dir --no-color --help' ;;
    'key create') words='--policy --credential --expires --run --version --json --url --data-dir --no-color --help' ;;
    'key list') words='--limit --version --json --url --data-dir --no-color --help' ;;
    'key show') words='--version --json --url --data-dir --no-color --help' ;;
    'key narrow') words='--version --json --url --data-dir --no-color --help' ;;
    'key revoke') words='--reason --cancel-pending --version --json --url --data-dir --no-color --help' ;;
    'key pending') words='--limit --version --json --url --data-dir --no-color --help' ;;
    'key run') words='--run --cap --expires --version --json --url --data-dir --no-color --help' ;;
    'key token') words='--credential --vendor --method --domain --endpoint --rate --expires --daily-cap --max-amount --name --version --json --url --data-dir --no-color --help' ;;
    'runs') words='list show --version --json --url --data-dir --no-color --help' ;;
    'runs list') words='--key --limit --version --json --url --data-dir --no-color --help' ;;
    'runs show') words='--key --version --json --url --data-dir --no-color --help' ;;
    'spend') words='--by --from --to --max-loss --version --json --url --data-dir --no-color --help' ;;
    'calls') words='list resolve --version --json --url --data-dir --no-color --help' ;;
    'calls list') words='--key --run --vendor --state --limit --cursor --csv --version --json --url --data-dir --no-color --help' ;;
    'calls resolve') words='--outcome --amount --reason --version --json --url --data-dir --no-color --help' ;;
    'tail') words='--key --run --vendor --denied --version --json --url --data-dir --no-color --help' ;;
    'explain') words='--version --json --url --data-dir --no-color --help' ;;
    'freeze') words='--all --key --run --vendor --reason --version --json --url --data-dir --no-color --help' ;;
    'unfreeze') words='--all --key --run --vendor --version --json --url --data-dir --no-color --help' ;;
    'approvals') words='list show approve deny --version --json --url --data-dir --no-color --help' ;;
    'approvals list') words='--state --key --limit --version --json --url --data-dir --no-color --help' ;;
    'approvals show') words='--version --json --url --data-dir --no-color --help' ;;
    'approvals approve') words='--reason --version --json --url --data-dir --no-color --help' ;;
    'approvals deny') words='--reason --version --json --url --data-dir --no-color --help' ;;
    'operator') words='add list revoke readmit --version --json --url --data-dir --no-color --help' ;;
    'operator add') words='--role --expires --version --json --url --data-dir --no-color --help' ;;
    'operator list') words='--version --json --url --data-dir --no-color --help' ;;
    'operator revoke') words='--version --json --url --data-dir --no-color --help' ;;
    'operator readmit') words='--version --json --url --data-dir --no-color --help' ;;
    'rates') words='show set import --version --json --url --data-dir --no-color --help' ;;
    'rates show') words='--version --json --url --data-dir --no-color --help' ;;
    'rates set') words='--as-of --haircut --max-age-days --replace --confirm --version --json --url --data-dir --no-color --help' ;;
    'rates import') words='--confirm --version --json --url --data-dir --no-color --help' ;;
    'prices') words='show import sync --version --json --url --data-dir --no-color --help' ;;
    'prices show') words='--version --json --url --data-dir --no-color --help' ;;
    'prices import') words='--version --json --url --data-dir --no-color --help' ;;
    'prices sync') words='--credential --confirm --version --json --url --data-dir --no-color --help' ;;
    'reverse') words='--key --execute --yes --version --json --url --data-dir --no-color --help' ;;
    'reconcile') words='--since --replay --version --json --url --data-dir --no-color --help' ;;
    'audit') words='verify export public-key retention prune erase --version --json --url --data-dir --no-color --help' ;;
    'audit verify') words='--checkpoints --public-key --version --json --url --data-dir --no-color --help' ;;
    'audit export') words='--output --format --since --to --version --json --url --data-dir --no-color --help' ;;
    'audit public-key') words='--version --json --url --data-dir --no-color --help' ;;
    'audit retention') words='--version --json --url --data-dir --no-color --help' ;;
    'audit prune') words='--before --version --json --url --data-dir --no-color --help' ;;
    'audit erase') words='--subject --version --json --url --data-dir --no-color --help' ;;
    'backup') words='--version --json --url --data-dir --no-color --help' ;;
    'restore') words='--version --json --url --data-dir --no-color --help' ;;
    'db') words='verify check confirm-restore confirm-clock rotate-master-key reset-admin-token copy --version --json --url --data-dir --no-color --help' ;;
    'db verify') words='--version --json --url --data-dir --no-color --help' ;;
    'db check') words='--version --json --url --data-dir --no-color --help' ;;
    'db confirm-restore') words='--version --json --url --data-dir --no-color --help' ;;
    'db confirm-clock') words='--version --json --url --data-dir --no-color --help' ;;
    'db rotate-master-key') words='--version --json --url --data-dir --no-color --help' ;;
    'db reset-admin-token') words='--version --json --url --data-dir --no-color --help' ;;
    'db copy') words='--to --to-env --from --dry-run --version --json --url --data-dir --no-color --help' ;;
    'completion') words='--version --json --url --data-dir --no-color --help' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _spendgate spendgate
