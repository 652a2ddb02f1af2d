'use strict'
// Makes a page follow what happens. Without it every page is whole, as of the moment it was loaded.
//
// Parts of a page that may change carry data-part. When the server says that something changed, the page is asked for
// again and its parts take the place of those here, unless the reader is in the middle of one.
;(() => {
  const live = document.body.dataset.live === 'on'
  const pulse = document.getElementById('pulse')
  const plots = new Map()

  // Times

  const clock = new Intl.DateTimeFormat(undefined, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  })
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' })
  const today = new Date(document.body.dataset.now).toDateString()
  function localTimes(root) {
    for (const time of root.querySelectorAll('time[datetime]')) {
      const at = new Date(time.dateTime)
      const brief = time.dataset.form === 'clock' && at.toDateString() === today
      time.textContent = (brief ? clock : full).format(at)
    }
  }

  // Plots

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const usd = (value) =>
    value === null || value === undefined
      ? ''
      : '$' +
        value.toLocaleString('en-US', {
          minimumFractionDigits: 2,
          maximumFractionDigits: value !== 0 && Math.abs(value) < 0.1 ? 4 : 2,
        })

  const hour = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
  /** Seconds only where the labels are that near, the day only where it begins. */
  function instantAt(second, place, all) {
    const at = new Date(second * 1000)
    if (at.getHours() + at.getMinutes() + at.getSeconds() === 0 && place > 0) return day.format(at)
    return (all.length > 1 && all[1] - all[0] < 60 ? clock : hour).format(at)
  }

  function optionsOf(kind, width) {
    const soft = colour('--soft')
    const axis = {
      stroke: soft,
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
      font: '12px system-ui, sans-serif',
    }
    const steps = uPlot.paths.stepped({ align: 1 })
    const spent = {
      label: 'spent',
      stroke: colour('--main'),
      width: 2.5,
      fill: colour('--main') + '1f',
      paths: steps,
      points: { show: false },
    }
    const denied = {
      label: 'denied',
      stroke: colour('--bad'),
      paths: () => null,
      spanGaps: true,
      // Without an outline: those of dots that lie on each other would hide them all.
      points: { show: true, size: 8, fill: colour('--bad'), stroke: colour('--bad'), width: 0 },
    }
    const line = (label, name, dash) => ({
      label,
      stroke: colour(name),
      width: 1.5,
      dash,
      paths: steps,
      points: { show: false },
    })
    const series =
      kind === 'line'
        ? [{}, line('with held', '--held', [6, 4]), spent, denied]
        : [{}, spent, denied, line('cap', '--bad', [6, 4])]
    return {
      width,
      height: 220,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: true, range: (_, min, max) => (min === max ? [min - 30, max + 30] : [min, max + (max - min) / 60]) },
        y: { range: (_, min, max) => [0, Math.max(max ?? 0, 0.01) * 1.08] },
      },
      axes: [
        { ...axis, space: 80, size: 34, values: (_, found) => found.map(instantAt) },
        { ...axis, size: 74, values: (_, found) => found.map((value) => usd(value)) },
      ],
      series,
    }
  }

  function draw() {
    const numbers = document.getElementById('line')
    const place = document.querySelector('[data-plot]')
    if (numbers === null || place === null || typeof uPlot === 'undefined') return
    const points = JSON.parse(numbers.dataset.points)
    if (points[0].length < 2) return
    const known = plots.get(place)
    if (known !== undefined) {
      known.setData(points)
      return
    }
    place.textContent = ''
    // A place without a plot is not shown, and so has no width.
    const width = numbers.clientWidth
    const plot = new uPlot(optionsOf(place.dataset.plot, width), points, place)
    plots.set(place, plot)
    new ResizeObserver(() => plot.setSize({ width: numbers.clientWidth, height: 220 })).observe(numbers)
  }

  function redraw() {
    for (const [place, plot] of plots) {
      plot.destroy()
      plots.delete(place)
    }
    draw()
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw)

  // Parts

  /** Whether the reader is in the middle of it: something unfolded, chosen or typed. */
  function busy(part) {
    if (part.contains(document.activeElement) && document.activeElement !== document.body) return true
    if (part.querySelector('details[open]') !== null) return true
    for (const field of part.querySelectorAll('input:not([type=hidden]), textarea'))
      if (field.value !== field.defaultValue) return true
    const selection = getSelection()
    return selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode)
  }

  function take(page) {
    for (const part of document.querySelectorAll('[data-part]')) {
      const next = page.getElementById(part.id)
      if (next === null) continue
      const was = part.cloneNode(true)
      for (const time of was.querySelectorAll('time')) time.textContent = ''
      const is = next.cloneNode(true)
      for (const time of is.querySelectorAll('time')) time.textContent = ''
      for (const row of was.querySelectorAll('tr.new')) row.classList.remove('new')
      if (was.isEqualNode(is) || busy(part)) continue
      const known = new Set([...part.querySelectorAll('tbody .when a')].map((link) => link.getAttribute('href')))
      localTimes(next)
      const scrolled = part.querySelector('ul')?.scrollLeft ?? 0
      part.replaceWith(document.adoptNode(next))
      if (scrolled > 0) next.querySelector('ul').scrollLeft = scrolled
      if (known.size > 0)
        for (const link of next.querySelectorAll('tbody .when a'))
          if (!known.has(link.getAttribute('href'))) link.closest('tr').classList.add('new')
    }
    draw()
  }

  // The stream

  let asking = false
  let again = false
  async function refresh() {
    if (asking || document.hidden) {
      again = true
      return
    }
    asking = true
    again = false
    try {
      const reply = await fetch(location.href, { headers: { 'x-refresh': '1' }, redirect: 'manual' })
      if (reply.status === 401) return over()
      if (reply.ok) {
        take(new DOMParser().parseFromString(await reply.text(), 'text/html'))
        say('live')
      }
    } catch {
      say('no connection; trying again')
    } finally {
      asking = false
      if (again && !document.hidden) void refresh()
    }
  }

  function say(text) {
    if (pulse !== null && pulse.textContent !== text) pulse.textContent = text
  }

  let stream = null
  function over() {
    stream?.close()
    say('The session is over: reload to sign in again.')
  }
  function listen() {
    stream = new EventSource('/dashboard/stream')
    stream.addEventListener('open', () => say('live'))
    stream.addEventListener('change', () => void refresh())
    stream.addEventListener('over', over)
    stream.addEventListener('error', () => say('no connection; trying again'))
  }

  localTimes(document)
  // On a phone the screens' names do not fit beside each other.
  document.querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  draw()
  if (!live) return
  listen()
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && again) void refresh()
  })
  addEventListener('pagehide', () => stream?.close())
  addEventListener('pageshow', (event) => {
    if (!event.persisted) return
    listen()
    void refresh()
  })
})()
