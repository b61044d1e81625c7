import { describe, expect, test } from 'vitest';
import {
  type BkrepoErrorName,
  ERROR_CODES,
  messageOf,
} from '../../../../src/gateway/rest/bkrepo/error-codes.ts';
import { languageOf } from '../../../../src/gateway/rest/bkrepo/language.ts';

const XY = ['x', 'y'];

test.each<[BkrepoErrorName, number, number, string, string]>([
  ['SYSTEM_ERROR', 250102, 500, 'System service is busy, please try again later', '系统繁忙，请稍后再试'],
  ['PARAMETER_MISSING', 250103, 400, 'Parameter [x] is missing', '参数[x]缺失'],
  ['PARAMETER_EMPTY', 250104, 400, 'Parameter [x] should not be empty', '参数[x]不能为空'],
  ['PARAMETER_INVALID', 250105, 400, 'Parameter [x] is invalid', '参数[x]无效'],
  ['CONTENT_INVALID', 250106, 400, 'Invalid request content', '请求内容无效'],
  ['RESOURCE_EXISTED', 250107, 400, 'Resource [x] existed', '资源[x]已存在'],
  ['RESOURCE_NOT_FOUND', 250108, 400, 'Resource [x] not found', '资源[x]不存在'],
  ['METHOD_NOT_ALLOWED', 250112, 405, 'Method not allowed, reason: x', '不允许的方法, 原因: x'],
  ['ACCESS_DENIED', 250113, 403, 'Access denied: x', '访问被拒绝: x'],
  ['UNAUTHENTICATED', 250114, 401, 'Failed to authenticate: x', '认证失败: x'],
  ['HEADER_MISSING', 250118, 400, 'Header [x] is missing', '请求头[x]缺失'],
  ['MEDIA_TYPE_UNSUPPORTED', 250119, 415, 'Unsupported Media Type', '不支持的媒体类型'],
  ['RANGE_NOT_SATISFIABLE', 250120, 416, 'Requested range not satisfiable', '请求范围无法满足'],
  ['TOO_LARGE', 250127, 400, 'The request is too large', '请求过大'],
  ['LOCKED', 250128, 400, 'The resource is in use', '资源正在使用中'],
  ['TOO_MANY_REQUESTS', 250129, 429, 'Too many requests', '请求过于频繁'],
  ['URL_NOT_FOUND', 250130, 404, 'Request url[x] not found', '请求地址[x]不存在'],
  ['PROJECT_NOT_FOUND', 251004, 400, 'Project [x] not found', '项目[x]不存在'],
  ['PROJECT_EXISTED', 251005, 400, 'Project [x] existed', '项目[x]已存在'],
  ['REPOSITORY_NOT_FOUND', 251006, 404, 'Repository [x] not found', '仓库[x]不存在'],
  ['REPOSITORY_EXISTED', 251007, 400, 'Repository [x] existed', '仓库[x]已存在'],
  ['REPOSITORY_NOT_EMPTY', 251008, 400, 'Repository is not empty', '仓库不为空'],
  ['NODE_NOT_FOUND', 251010, 404, 'Node [x] not found', '节点[x]不存在'],
  ['STAGE_UPGRADE_ERROR', 251015, 400, 'Upgrade artifact stage error: [x]', '制品晋级错误: [x]'],
  ['PACKAGE_NOT_FOUND', 251017, 404, 'Package [x] not found', '包[x]不存在'],
  ['ARTIFACT_DATA_NOT_FOUND', 251024, 404, 'Artifact file data not found', '制品文件数据不存在'],
  ['QUOTA_EXCEEDED', 251025, 400, 'Exceeded repository [x] quota value [y]', '超出仓库[x]的配额[y]'],
  ['ARTIFACT_NOT_FOUND', 251902, 404, 'Artifact [x] not found in repo [y] !', '制品[x]在仓库[y]中不存在!'],
  ['UPLOAD_REFUSED', 251903, 403, 'upload refused', '拒绝上传'],
  [
    'ARTIFACT_VERSION_NOT_FOUND',
    251906,
    404,
    'The version [x] of artifact not found in repo [y] !',
    '制品版本[x]在仓库[y]中不存在!',
  ],
])('%s', (name, code, status, english, chinese) => {
  expect(ERROR_CODES[name].slice(0, 2)).toEqual([code, status]);
  expect([messageOf(name, XY, 'en'), messageOf(name, XY, 'zh')]).toEqual([english, chinese]);
});

test('the second placeholder of one text is never filled', () => {
  expect(messageOf('VERSION_NOT_FOUND', ['v9'], 'en')).toBe('Package version [v9-{1}] not found');
  expect(messageOf('VERSION_NOT_FOUND', ['v9'], 'zh')).toBe('包版本[v9]不存在');
});

test('parameters are taken as they are', () => {
  expect(messageOf('QUOTA_EXCEEDED', ['{1}', '$&'], 'en')).toBe('Exceeded repository [{1}] quota value [$&]');
});

describe('Languages', () => {
  test.each([
    [undefined, 'en'],
    ['', 'en'],
    ['*', 'en'],
    ['zh', 'zh'],
    ['ZH-hans-CN', 'zh'],
    ['zh_TW', 'zh'],
    ['en-US,en;q=0.9,zh-CN;q=0.8', 'en'],
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh'],
    ['en;q=0.1, zh;q=0.2', 'zh'],
    ['zh;q=0, en', 'en'],
    ['zh;q=x', 'en'],
    [`${'x,'.repeat(100_000)}zh`, 'en'],
  ])('%.40s', (header, language) => {
    expect(languageOf(header)).toBe(language);
  });
});
