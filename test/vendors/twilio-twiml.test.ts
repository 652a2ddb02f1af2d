import { describe, expect, test } from 'vitest'
import { readTwiml } from '../../vendors/twilio/twiml.js'

const bounded = (inner: string) => readTwiml(`<Response>${inner}</Response>`)?.bounded

describe('inline TwiML', () => {
  test.each([
    '',
    '<Say>Hello &amp; welcome</Say>',
    '<Say voice="woman" language="en-US" loop="2">Hi</Say>',
    '<Pause length="1"/>',
    '<Play>https://media.acme.com/a.mp3</Play>',
    '<Play digits="1w2"/>',
    '<Hangup/>',
    '<Reject reason="busy" />',
    '<Gather input="dtmf" numDigits="1"><Say>Press one</Say><Pause/></Gather>',
    '\n  <Say>a</Say>\n  <Hangup></Hangup>\n',
  ])('is bounded by the time limit: %s', (inner) => {
    expect(bounded(inner)).toBe(true)
  })

  test.each([
    '<Dial>+88213300655</Dial>',
    '<Dial><Number>+88213300655</Number></Dial>',
    '<Redirect>https://evil.example/</Redirect>',
    '<Record/>',
    '<Pay/>',
    '<Refer/>',
    '<Enqueue>q</Enqueue>',
    '<Start><Stream url="wss://evil.example"/></Start>',
    '<Connect/>',
    '<Gather action="https://evil.example/next"><Say>Hi</Say></Gather>',
    '<Gather input="speech"/>',
    '<Gather><Dial>+1</Dial></Gather>',
    '<Say voice="Polly.Joanna-Neural">Hi</Say>',
    '<Say><break time="1s"/>Hi</Say>',
    '<Play>ftp://a.example/x</Play>',
    '<Play>https://a.example\\@b.example/</Play>',
    '<Say loop="1" loop="0">x</Say>',
    '<dial>x</dial>',
    '<constructor/>',
    '<Say>a</Say>stray words',
    '<Hangup>x</Hangup>',
  ])('is not bounded: %s', (inner) => {
    expect(bounded(inner)).toBe(false)
  })

  test.each([
    '',
    '<Say>no root</Say>',
    '<Response><Say>',
    '<Response></Say>',
    '<Response/><Response/>',
    'x<Response/>',
    '<Response/>x',
    '<!DOCTYPE r [<!ENTITY d "<Dial/>">]><Response>&d;</Response>',
    '<Response><!-- c --></Response>',
    '<Response><![CDATA[<Dial>]]></Response>',
    '<Response>&#60;Dial&#62;</Response>',
    '<Response><?xml-stylesheet a?></Response>',
    '<Response a=b/>',
    '<Response><Say>a & b</Say></Response>',
    `<Response>${' '.repeat(4000)}</Response>`,
    '<?xml version="1.1"?><Response/>',
    '<?xml version="1.0" encoding="UTF-16"?><Response/>',
  ])('is not readable: %j', (text) => {
    expect(readTwiml(text)).toBeNull()
  })

  test('tells what it plays', () => {
    const declaration = '<?xml version="1.0" encoding="UTF-8"?>'
    const play = '<Response><Play loop="1">https://m.acme.com/a?b=1&amp;c=2</Play></Response>'
    expect(readTwiml(declaration + play)).toEqual({ bounded: true, urls: ['https://m.acme.com/a?b=1&c=2'] })
  })
})
