import { afterEach, beforeEach, expect, test } from 'vitest'
import { docsPage } from '../../src/admin/docs-page.js'
import { World, type Reply } from '../admin/world.js'

let world: World
beforeEach(async () => {
  world = await World.start()
})
afterEach(() => world.close())

const page = (): Promise<Reply> => world.ask('GET', '/admin/docs', undefined, { token: null })

test('another site and a host that rebinds get no page', async () => {
  const asked = (headers: Record<string, string>): Promise<Reply> =>
    world.ask('GET', '/admin/docs', undefined, { token: null, headers })
  expect((await asked({ host: 'evil.example' })).status).toBe(403)
  expect((await asked({ 'sec-fetch-site': 'cross-site' })).status).toBe(403)
})

test('the page has every call and every object of the document, each with its place', async () => {
  const { body: document } = await world.ask('GET', '/admin/openapi.json')
  const { status, headers, text } = await page()
  expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
  const operations = Object.values(document.paths as object).flatMap((each) => Object.values(each as object))
  const ids = [...operations.map(({ operationId }) => operationId), ...Object.keys(document.components.schemas)]
  expect(ids.length).toBeGreaterThan(55)
  expect(ids.filter((id) => !text.includes(`<section id="${id}">`))).toEqual([])
  const links = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id!)
  expect(links.filter((id) => !ids.includes(id))).toEqual([])
})

test('it shows the call in a shell, with placeholders in the path', async () => {
  const { text } = await page()
  expect(text).toContain('/admin/v1/keys/ID/revoke')
  expect(text).toContain('curl -X POST')
})

test('nothing on it is run, inlined or fetched from elsewhere, and the policy allows only its own style sheet', async () => {
  const { headers, text } = await page()
  expect(headers['content-security-policy']).toBe(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  )
  expect(text).not.toMatch(/<script|<style|\sstyle=|\son\w+=|javascript:|<img|<iframe/i)
  const addresses = [...text.matchAll(/(?:href|src)="([^"#][^"]*)"/g)].map(([, address]) => address!)
  expect(new Set(addresses)).toEqual(new Set(['/admin/docs.css', '/admin/openapi.json']))
  const style = await world.ask('GET', '/admin/docs.css', undefined, { token: null })
  expect(style.headers['content-type']).toBe('text/css; charset=utf-8')
  expect(style.text).toContain('prefers-color-scheme: dark')
  expect(style.text).not.toMatch(/@import|url\(/)
})

test('what a description holds stands as text, whatever signs are in it', async () => {
  const description = '<script>alert("x")</script> & so on'
  const object = { type: 'object', description, properties: { name: { type: 'string', description } } }
  const document = { info: { version: '1' }, paths: {}, components: { schemas: { Thing: object } } }
  const text = await (await docsPage(JSON.stringify(document))).text()
  expect(text.match(/&lt;script&gt;/g)).toHaveLength(2)
  expect(text).not.toContain('<script')
  expect((await page()).text).not.toMatch(/\[object |undefined/)
})

test('what may be one thing or another says so', async () => {
  const { text } = await page()
  expect(text).toContain('string or null')
  expect(text).not.toMatch(/stringnull|integernull/)
})
