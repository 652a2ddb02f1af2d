import { dollars, json, safe, styleFor, table } from '../cli/output.js'
import { packageVersion } from '../package-root.js'
import type { Proof } from './proof.js'
import { POLICY, type Issued, type Stage } from './stage.js'
import type { Step } from './story.js'

/** How the demo speaks. */
export interface Teller {
  opened(stage: Stage): void
  step(step: Step): void
  closed(proof: Proof): void
  /** Said instead of good-bye; `visitor` is a key to try things with. */
  staying(stage: Stage, visitor: Issued): void
}

const PLAIN = styleFor(false, {}, false)

/** Lines for people. Columns are wide enough for everything in the story, so that they can be written as it happens. */
export class TextTeller implements Teller {
  readonly #out: (text: string) => void

  constructor(out: (text: string) => void) {
    this.#out = out
  }

  opened({ agentUrl, adminUrl, dataDir }: Stage): void {
    const { stripe, twilio, resend } = POLICY.vendors
    this
      .#out(`spendgate ${packageVersion()} · demo: simulated Stripe, Twilio and Resend; no account, nothing leaves this machine

  database    ${dataDir}/spendgate.db
  agent port  ${agentUrl}
  admin port  ${adminUrl}
  key         support-bot, under the policy ${POLICY.name}: ${dollars(POLICY.daily_cap_usd)} a day;
              refunds up to ${dollars(stripe.max_amount_usd)} for ${stripe.customers.join()}, SMS to ${twilio.recipients.join()}, e-mail to ${resend.recipients.join()}

A scripted agent on the real stripe, twilio and resend packages now goes wrong on purpose (times are UTC):
`)
  }

  step(step: Step): void {
    const { allowed, refusals } = step
    const refused = refusals.map(({ code, count }) => (count === 1 ? `DENY ${code}` : `${count} DENY ${code}`))
    const verdicts = [...(allowed === 0 ? [] : [step.refusals.length === 0 ? 'allow' : `${allowed} allow`]), ...refused]
    const columns = [
      new Date(step.at).toISOString().slice(11, 19),
      step.vendor.padEnd(6),
      safe(step.what).padEnd(52),
      dollars(step.askedUsd).padStart(9),
      verdicts.join(', ').padEnd(39),
      `day ${step.dayUsd}/${step.capUsd}`,
    ]
    this.#out(`${columns.join('  ')}\n`)
    for (const { message } of refusals) this.#out(`${' '.repeat(18)}${safe(message)}\n`)
    if (refusals.some(({ code }) => code === 'key_revoked'))
      this.#out(`${' '.repeat(18)}(refused after ${step.ms} ms)\n`)
    if (step.surprise !== null) this.#out(`${' '.repeat(18)}UNEXPECTED: ${safe(step.surprise)}\n`)
  }

  closed(proof: Proof): void {
    const runs = proof.runs.map(({ run, by_vendor, calls, denied, spent_usd, held_usd }) => [
      run,
      Object.keys(by_vendor).join(', '),
      dollars(spent_usd),
      dollars(held_usd),
      String(calls),
      String(denied),
    ])
    const vendors = proof.vendors.map(({ vendor, vendorUsd, ledgerUsd, arrived, admitted }) => [
      vendor,
      dollars(vendorUsd),
      dollars(ledgerUsd),
      String(arrived),
      String(admitted),
      vendorUsd === ledgerUsd && arrived === admitted ? 'equal' : 'DIFFERENT',
    ])
    this.#out(`
Spend by run:
${table(PLAIN, titled('RUN', 'VENDORS', '>SPENT', '>HELD', '>CALLS', '>DENIED'), runs)}
What the vendors saw, and what the ledger says:
${table(PLAIN, titled('VENDOR', '>SAW', '>LEDGER', '>ARRIVED', '>LET OUT', ''), vendors)}
The agent asked for ${dollars(proof.askedUsd)}; ${dollars(proof.spentUsd)} got through, of a cap of ${dollars(POLICY.daily_cap_usd)}.
`)
    for (const fault of proof.faults) this.#out(`FAULT: ${safe(fault)}\n`)
  }

  staying({ agentUrl, adminUrl, dataDir, signInUrl }: Stage, { key }: Issued): void {
    const cli = `spendgate --url ${adminUrl} --data-dir ${dataDir}`
    this.#out(`
A second key under the same policy, to try it yourself:
  curl ${agentUrl}/stripe/v1/refunds -H 'Authorization: Bearer ${key}' -d charge=ch_A -d amount=700

Look inside:
  ${signInUrl()} (opens once, within 10 minutes)
  ${cli} calls
  ${cli} spend --by run
`)
  }
}

/** Titles; `>` aligns a column to the right. */
const titled = (...titles: readonly string[]): { title: string; right: boolean }[] =>
  titles.map((title) => ({ title: title.replace('>', ''), right: title.startsWith('>') }))

/** One JSON object a line. The summary is the last, or last but one when the demo stays. */
export class JsonTeller implements Teller {
  readonly #out: (text: string) => void

  constructor(out: (text: string) => void) {
    this.#out = out
  }

  opened({ agentUrl, adminUrl, dataDir, agent }: Stage): void {
    this.#line({ type: 'started', agent_url: agentUrl, admin_url: adminUrl, data_dir: dataDir, key_id: agent.keyId })
  }

  step(step: Step): void {
    this.#line({
      type: 'step',
      at: new Date(step.at).toISOString(),
      vendor: step.vendor,
      run: step.run,
      what: step.what,
      asked_usd: step.askedUsd,
      allowed: step.allowed,
      denied: step.refusals,
      day_usd: step.dayUsd,
      cap_usd: step.capUsd,
      call_id: step.callId,
      ms: step.ms,
      surprise: step.surprise,
    })
  }

  closed({ ok, askedUsd, spentUsd, runs, vendors, faults }: Proof): void {
    this.#line({
      type: 'summary',
      ok,
      asked_usd: askedUsd,
      spent_usd: spentUsd,
      cap_usd: POLICY.daily_cap_usd,
      runs,
      vendors: vendors.map(({ vendor, ledgerUsd, vendorUsd, admitted, arrived }) => ({
        vendor,
        ledger_usd: ledgerUsd,
        vendor_usd: vendorUsd,
        admitted,
        arrived,
      })),
      faults,
    })
  }

  staying({ signInUrl }: Stage, { id, key, presentations }: Issued): void {
    this.#line({ type: 'staying', key_id: id, key, presentations, dashboard_url: signInUrl() })
  }

  #line(value: object): void {
    this.#out(`${json(value, false)}\n`)
  }
}
