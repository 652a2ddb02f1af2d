/**
 * How many decimal places Stripe's minor unit has, by currency (docs.stripe.com/currencies, read November 2026).
 *
 * Traps. UGX and ISK have no minor unit in life, yet Stripe keeps them at two places for backward compatibility:
 * «5 ISK» is sent as 500. HUF and TWD have two places in every amount, but are paid out in whole units only, sent as
 * multiples of 100: reading such an amount as whole units would count a hundred times too much, never too little, and
 * it is not done. The dinars and the rial of THREE_DECIMAL end in 0 on cards, which changes nothing here. And a
 * currency that is missing is unknown, not two-decimal: an exponent guessed too high would count a hundredth of the
 * money.
 */
export const exponentOf = (currency: string): number | null => EXPONENTS.get(currency) ?? null

const codes = (text: string): readonly string[] => text.trim().split(/\s+/)

const ZERO_DECIMAL = codes('bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf')

const THREE_DECIMAL = codes('bhd jod kwd omr tnd')

const TWO_DECIMAL = codes(`
  usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd btn bwp byn bzd cad cdf chf cny cop
  crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel ghs gip gmd gtq gyd hkd hnl hrk htg huf idr ils inr isk jmd kes
  kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen
  pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sll sos srd std szl thb tjs top try ttd twd tzs uah ugx
  uyu uzs wst xcd yer zar zmw
`)

const EXPONENTS: ReadonlyMap<string, number> = new Map([
  ...TWO_DECIMAL.map((code) => [code, 2] as const),
  ...THREE_DECIMAL.map((code) => [code, 3] as const),
  ...ZERO_DECIMAL.map((code) => [code, 0] as const),
])
