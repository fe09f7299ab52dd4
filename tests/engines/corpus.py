"""Texts that an engine's bounds are measured on: short and long, Mandarin, English, mixed, digits, and odd ones."""

from __future__ import annotations

ENGLISH = (
    "Hi.",
    "No",
    "A",
    "I",
    "OK!",
    "Your order has been paid.",
    "Thank you for calling. All our agents are busy; please hold the line.",
    "Your parcel was handed to the courier at half past nine and will arrive tomorrow before noon.",
    "Strengths through twelfths, rhythms, schnapps, scratched.",
    "Internationalization characteristically misunderstandings.",
    "a e i o u a e i o u",
    "ha ha ha ha ha ha ha ha",
    "no no no no no no no no no no no no no no no no no no no no",
    "IBM, NASA, UPS, FBI, and the BBC.",
    "Wait... what?! Well -- never mind; (really) \"quoted\" 'text'.",
)
MANDARIN = (
    "好",
    "您好",
    "一",
    "您的订单已付款。",
    "感谢您的来电，请稍候，我们马上为您服务。",
    "您的包裹已由快递员揽收，预计明天中午之前送达，请注意查收。",
    "哈哈哈哈哈哈哈哈哈哈",
    "好的好的好的好的好的好的好的好的",
    "床前明月光，疑是地上霜。举头望明月，低头思故乡。",
    "这次作业完成得很好，特别是第三题的解法非常清晰，希望继续保持。",
    "……好！？",
)
MIXED = (
    "Hello, 王先生, your parcel has arrived.",
    "您的iPhone已发货。",
    "请联系VIP客服team。",
    "订单A1B2C3已由UPS揽收, thank you!",
    "Room A, 5楼",
)
DIGITS = (
    "1",
    "7",
    "42",
    "100",
    "1000000",
    "123456789",
    "1234567890123456",
    "$1,299.99",
    "3.14159265",
    "12:30",
    "2026-11-22",
    "+86 138 0013 8000",
    "您的验证码是 483920。",
    "订单号 20261122000731，金额 1299 元。",
    "共 3 件，5 楼",
    "50% 99.9%",
    "0 0 0 0 0 0",
    "777777777777777777777",
)
ODD = (
    "https://example.com/track?id=A1&lang=en",
    "support@example.com",
    "a-b_c/d\\e#f*g",
    "line one\nline two\n\nline four",
    "x" * 60,
    "b c d f g h j k l m n p q r s t v w x z",
    "A. B. C. D. E. F.",
    "one, two, three, four, five, six, seven, eight, nine, ten",
    "Größe, façade, naïve, señor",
    "- - - - word - - - -",
    "!!!!!!!!!!!!!! no !!!!!!!!!!!!!!!",
    "word" + "." * 60,
    "Привет, как дела?",
    "こんにちは",
    "🎉 done 🎉",
    "C++ & C# = 100 %",
)
LONG = (
    " ".join(ENGLISH[5:8]) * 10,
    "".join(MANDARIN[3:6]) * 20,
    " ".join(MIXED) * 15,
    "，".join(f"第{number}件商品，单价{number * 13}元" for number in range(40)),
    " ".join(f"item {number} costs {number * 37} dollars," for number in range(60)),
)
CORPUS = ENGLISH + MANDARIN + MIXED + DIGITS + ODD + LONG
