/*
 * The English names of emoji as the Python package emoji 2.16.0 gives them, written by scripts/reference/caption_data.py.
 *
 * Copyright (c) 2014-2026, Taehoon Kim, Kevin Wurster. All rights reserved.
 *
 * Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following
 * conditions are met:
 * 1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
 *    disclaimer in the documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote products
 *    derived from this software without specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING,
 * BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT
 * SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
 * INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
 * NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */

/** Lines of a name and its emoji, qualified or not. `~` stands for each of the five skin tones and for its name. */
export const emojiNames = `\
1st_place_medal 🥇
2nd_place_medal 🥈
3rd_place_medal 🥉
AB_button_(blood_type) 🆎
ATM_sign 🏧
A_button_(blood_type) 🅰 🅰️
Afghanistan 🇦🇫
Albania 🇦🇱
Algeria 🇩🇿
American_Samoa 🇦🇸
Andorra 🇦🇩
Angola 🇦🇴
Anguilla 🇦🇮
Antarctica 🇦🇶
Antigua_&_Barbuda 🇦🇬
Aquarius ♒
Argentina 🇦🇷
Aries ♈
Armenia 🇦🇲
Aruba 🇦🇼
Ascension_Island 🇦🇨
Australia 🇦🇺
Austria 🇦🇹
Azerbaijan 🇦🇿
BACK_arrow 🔙
B_button_(blood_type) 🅱 🅱️
Bahamas 🇧🇸
Bahrain 🇧🇭
Bangladesh 🇧🇩
Barbados 🇧🇧
Belarus 🇧🇾
Belgium 🇧🇪
Belize 🇧🇿
Benin 🇧🇯
Bermuda 🇧🇲
Bhutan 🇧🇹
Bolivia 🇧🇴
Bosnia_&_Herzegovina 🇧🇦
Botswana 🇧🇼
Bouvet_Island 🇧🇻
Brazil 🇧🇷
British_Indian_Ocean_Territory 🇮🇴
British_Virgin_Islands 🇻🇬
Brunei 🇧🇳
Bulgaria 🇧🇬
Burkina_Faso 🇧🇫
Burundi 🇧🇮
CL_button 🆑
COOL_button 🆒
Cambodia 🇰🇭
Cameroon 🇨🇲
Canada 🇨🇦
Canary_Islands 🇮🇨
Cancer ♋
Cape_Verde 🇨🇻
Capricorn ♑
Caribbean_Netherlands 🇧🇶
Cayman_Islands 🇰🇾
Central_African_Republic 🇨🇫
Ceuta_&_Melilla 🇪🇦
Chad 🇹🇩
Chile 🇨🇱
China 🇨🇳
Christmas_Island 🇨🇽
Christmas_tree 🎄
Clipperton_Island 🇨🇵
Cocos_(Keeling)_Islands 🇨🇨
Colombia 🇨🇴
Comoros 🇰🇲
Congo-Brazzaville 🇨🇬
Congo-Kinshasa 🇨🇩
Cook_Islands 🇨🇰
Costa_Rica 🇨🇷
Croatia 🇭🇷
Cuba 🇨🇺
Curaçao 🇨🇼
Cyprus 🇨🇾
Czechia 🇨🇿
Côte_d’Ivoire 🇨🇮
Denmark 🇩🇰
Diego_Garcia 🇩🇬
Djibouti 🇩🇯
Dominica 🇩🇲
Dominican_Republic 🇩🇴
END_arrow 🔚
Ecuador 🇪🇨
Egypt 🇪🇬
El_Salvador 🇸🇻
England 🏴󠁧󠁢󠁥󠁮󠁧󠁿
Equatorial_Guinea 🇬🇶
Eritrea 🇪🇷
Estonia 🇪🇪
Eswatini 🇸🇿
Ethiopia 🇪🇹
European_Union 🇪🇺
FREE_button 🆓
Falkland_Islands 🇫🇰
Faroe_Islands 🇫🇴
Fiji 🇫🇯
Finland 🇫🇮
France 🇫🇷
French_Guiana 🇬🇫
French_Polynesia 🇵🇫
French_Southern_and_Antarctic_Lands 🇹🇫
Gabon 🇬🇦
Gambia 🇬🇲
Gemini ♊
Georgia 🇬🇪
Germany 🇩🇪
Ghana 🇬🇭
Gibraltar 🇬🇮
Greece 🇬🇷
Greenland 🇬🇱
Grenada 🇬🇩
Guadeloupe 🇬🇵
Guam 🇬🇺
Guatemala 🇬🇹
Guernsey 🇬🇬
Guinea 🇬🇳
Guinea-Bissau 🇬🇼
Guyana 🇬🇾
Haiti 🇭🇹
Heard_Island_&_McDonald_Islands 🇭🇲
Honduras 🇭🇳
Hong_Kong_SAR_China 🇭🇰
Hungary 🇭🇺
ID_button 🆔
Iceland 🇮🇸
India 🇮🇳
Indonesia 🇮🇩
Iran 🇮🇷
Iraq 🇮🇶
Ireland 🇮🇪
Isle_of_Man 🇮🇲
Israel 🇮🇱
Italy 🇮🇹
Jamaica 🇯🇲
Japan 🇯🇵
Japanese_acceptable_button 🉑
Japanese_application_button 🈸
Japanese_bargain_button 🉐
Japanese_castle 🏯
Japanese_congratulations_button ㊗ ㊗️
Japanese_discount_button 🈹
Japanese_dolls 🎎
Japanese_free_of_charge_button 🈚
Japanese_here_button 🈁
Japanese_monthly_amount_button 🈷 🈷️
Japanese_no_vacancy_button 🈵
Japanese_not_free_of_charge_button 🈶
Japanese_open_for_business_button 🈺
Japanese_passing_grade_button 🈴
Japanese_post_office 🏣
Japanese_prohibited_button 🈲
Japanese_reserved_button 🈯
Japanese_secret_button ㊙ ㊙️
Japanese_service_charge_button 🈂 🈂️
Japanese_symbol_for_beginner 🔰
Japanese_vacancy_button 🈳
Jersey 🇯🇪
Jordan 🇯🇴
Kazakhstan 🇰🇿
Kenya 🇰🇪
Kiribati 🇰🇮
Kosovo 🇽🇰
Kuwait 🇰🇼
Kyrgyzstan 🇰🇬
Laos 🇱🇦
Latvia 🇱🇻
Lebanon 🇱🇧
Leo ♌
Lesotho 🇱🇸
Liberia 🇱🇷
Libra ♎
Libya 🇱🇾
Liechtenstein 🇱🇮
Lithuania 🇱🇹
Luxembourg 🇱🇺
Macao_SAR_China 🇲🇴
Madagascar 🇲🇬
Malawi 🇲🇼
Malaysia 🇲🇾
Maldives 🇲🇻
Mali 🇲🇱
Malta 🇲🇹
Marshall_Islands 🇲🇭
Martinique 🇲🇶
Mauritania 🇲🇷
Mauritius 🇲🇺
Mayotte 🇾🇹
Mexico 🇲🇽
Micronesia 🇫🇲
Moldova 🇲🇩
Monaco 🇲🇨
Mongolia 🇲🇳
Montenegro 🇲🇪
Montserrat 🇲🇸
Morocco 🇲🇦
Mozambique 🇲🇿
Mrs._Claus 🤶
Mrs._Claus_~ 🤶~
Mx_Claus 🧑‍🎄
Mx_Claus_~ 🧑~‍🎄
Myanmar_(Burma) 🇲🇲
NEW_button 🆕
NG_button 🆖
Namibia 🇳🇦
Nauru 🇳🇷
Nepal 🇳🇵
Netherlands 🇳🇱
New_Caledonia 🇳🇨
New_Zealand 🇳🇿
Nicaragua 🇳🇮
Niger 🇳🇪
Nigeria 🇳🇬
Niue 🇳🇺
Norfolk_Island 🇳🇫
North_Korea 🇰🇵
North_Macedonia 🇲🇰
Northern_Mariana_Islands 🇲🇵
Norway 🇳🇴
OK_button 🆗
OK_hand 👌
OK_hand_~ 👌~
ON!_arrow 🔛
O_button_(blood_type) 🅾 🅾️
Oman 🇴🇲
Ophiuchus ⛎
P_button 🅿 🅿️
Pakistan 🇵🇰
Palau 🇵🇼
Palestinian_Territories 🇵🇸
Panama 🇵🇦
Papua_New_Guinea 🇵🇬
Paraguay 🇵🇾
Peru 🇵🇪
Philippines 🇵🇭
Pisces ♓
Pitcairn_Islands 🇵🇳
Poland 🇵🇱
Portugal 🇵🇹
Puerto_Rico 🇵🇷
Qatar 🇶🇦
Romania 🇷🇴
Russia 🇷🇺
Rwanda 🇷🇼
Réunion 🇷🇪
SOON_arrow 🔜
SOS_button 🆘
Sagittarius ♐
Samoa 🇼🇸
San_Marino 🇸🇲
Santa_Claus 🎅
Santa_Claus_~ 🎅~
Sark 🇨🇶
Saudi_Arabia 🇸🇦
Scorpio ♏
Scotland 🏴󠁧󠁢󠁳󠁣󠁴󠁿
Senegal 🇸🇳
Serbia 🇷🇸
Seychelles 🇸🇨
Sierra_Leone 🇸🇱
Singapore 🇸🇬
Sint_Maarten 🇸🇽
Slovakia 🇸🇰
Slovenia 🇸🇮
Solomon_Islands 🇸🇧
Somalia 🇸🇴
South_Africa 🇿🇦
South_Georgia_&_South_Sandwich_Islands 🇬🇸
South_Korea 🇰🇷
South_Sudan 🇸🇸
Spain 🇪🇸
Sri_Lanka 🇱🇰
St._Barthélemy 🇧🇱
St._Helena_Ascension_&_Tristan_da_Cunha 🇸🇭
St._Kitts_&_Nevis 🇰🇳
St._Lucia 🇱🇨
St._Martin 🇲🇫
St._Pierre_&_Miquelon 🇵🇲
St._Vincent_&_Grenadines 🇻🇨
Statue_of_Liberty 🗽
Sudan 🇸🇩
Suriname 🇸🇷
Svalbard_&_Jan_Mayen 🇸🇯
Sweden 🇸🇪
Switzerland 🇨🇭
Syria 🇸🇾
São_Tomé_&_Príncipe 🇸🇹
T-Rex 🦖
TOP_arrow 🔝
Taiwan 🇹🇼
Tajikistan 🇹🇯
Tanzania 🇹🇿
Taurus ♉
Thailand 🇹🇭
Timor-Leste 🇹🇱
Togo 🇹🇬
Tokelau 🇹🇰
Tokyo_tower 🗼
Tonga 🇹🇴
Trinidad_&_Tobago 🇹🇹
Tristan_da_Cunha 🇹🇦
Tunisia 🇹🇳
Turkmenistan 🇹🇲
Turks_&_Caicos_Islands 🇹🇨
Tuvalu 🇹🇻
Türkiye 🇹🇷
U.S._Outlying_Islands 🇺🇲
U.S._Virgin_Islands 🇻🇮
UP!_button 🆙
Uganda 🇺🇬
Ukraine 🇺🇦
United_Arab_Emirates 🇦🇪
United_Kingdom 🇬🇧
United_Nations 🇺🇳
United_States 🇺🇸
Uruguay 🇺🇾
Uzbekistan 🇺🇿
VS_button 🆚
Vanuatu 🇻🇺
Vatican_City 🇻🇦
Venezuela 🇻🇪
Vietnam 🇻🇳
Virgo ♍
Wales 🏴󠁧󠁢󠁷󠁬󠁳󠁿
Wallis_&_Futuna 🇼🇫
Western_Sahara 🇪🇭
Yemen 🇾🇪
ZZZ 💤
Zambia 🇿🇲
Zimbabwe 🇿🇼
abacus 🧮
accordion 🪗
adhesive_bandage 🩹
admission_tickets 🎟 🎟️
aerial_tramway 🚡
airplane ✈ ✈️
airplane_arrival 🛬
airplane_departure 🛫
alarm_clock ⏰
alembic ⚗ ⚗️
alien 👽
alien_monster 👾
ambulance 🚑
american_football 🏈
amphora 🏺
anatomical_heart 🫀
anchor ⚓
anger_symbol 💢
angry_face 😠
angry_face_with_horns 👿
anguished_face 😧
ant 🐜
antenna_bars 📶
anxious_face_with_sweat 😰
articulated_lorry 🚛
artist 🧑‍🎨
artist_palette 🎨
artist_~ 🧑~‍🎨
astonished_face 😲
astronaut 🧑‍🚀
astronaut_~ 🧑~‍🚀
atom_symbol ⚛ ⚛️
auto_rickshaw 🛺
automobile 🚗
avocado 🥑
axe 🪓
baby 👶
baby_angel 👼
baby_angel_~ 👼~
baby_bottle 🍼
baby_chick 🐤
baby_symbol 🚼
baby_~ 👶~
backhand_index_pointing_down 👇
backhand_index_pointing_down_~ 👇~
backhand_index_pointing_left 👈
backhand_index_pointing_left_~ 👈~
backhand_index_pointing_right 👉
backhand_index_pointing_right_~ 👉~
backhand_index_pointing_up 👆
backhand_index_pointing_up_~ 👆~
backpack 🎒
bacon 🥓
badger 🦡
badminton 🏸
bagel 🥯
baggage_claim 🛄
baguette_bread 🥖
balance_scale ⚖ ⚖️
bald 🦲
ballet_dancer 🧑‍🩰
ballet_dancer_~ 🧑~‍🩰
ballet_shoes 🩰
balloon 🎈
ballot_box_with_ballot 🗳 🗳️
banana 🍌
banjo 🪕
bank 🏦
bar_chart 📊
barber_pole 💈
baseball ⚾
basket 🧺
basketball 🏀
bat 🦇
bathtub 🛁
battery 🔋
beach_with_umbrella 🏖 🏖️
beaming_face_with_smiling_eyes 😁
beans 🫘
bear 🐻
beating_heart 💓
beaver 🦫
bed 🛏 🛏️
beer_mug 🍺
beetle 🪲
bell 🔔
bell_pepper 🫑
bell_with_slash 🔕
bellhop_bell 🛎 🛎️
bento_box 🍱
beverage_box 🧃
bicycle 🚲
bikini 👙
billed_cap 🧢
biohazard ☣ ☣️
bird 🐦
birthday_cake 🎂
bison 🦬
biting_lip 🫦
black_bird 🐦‍⬛
black_cat 🐈‍⬛
black_circle ⚫
black_flag 🏴
black_heart 🖤
black_large_square ⬛
black_medium-small_square ◾
black_medium_square ◼ ◼️
black_nib ✒ ✒️
black_small_square ▪ ▪️
black_square_button 🔲
blossom 🌼
blowfish 🐡
blue_book 📘
blue_circle 🔵
blue_heart 💙
blue_square 🟦
blueberries 🫐
boar 🐗
bomb 💣
bone 🦴
bookmark 🔖
bookmark_tabs 📑
books 📚
boomerang 🪃
bottle_with_popping_cork 🍾
bouquet 💐
bow_and_arrow 🏹
bowl_with_spoon 🥣
bowling 🎳
boxing_glove 🥊
boy 👦
boy_~ 👦~
brain 🧠
bread 🍞
breast-feeding 🤱
breast-feeding_~ 🤱~
brick 🧱
bridge_at_night 🌉
briefcase 💼
briefs 🩲
bright_button 🔆
broccoli 🥦
broken_chain ⛓‍💥 ⛓️‍💥
broken_heart 💔
broom 🧹
brown_circle 🟤
brown_heart 🤎
brown_mushroom 🍄‍🟫
brown_square 🟫
bubble_tea 🧋
bubbles 🫧
bucket 🪣
bug 🐛
building_construction 🏗 🏗️
bullet_train 🚅
bullseye 🎯
burrito 🌯
bus 🚌
bus_stop 🚏
bust_in_silhouette 👤
busts_in_silhouette 👥
butter 🧈
butterfly 🦋
cactus 🌵
calendar 📅
call_me_hand 🤙
call_me_hand_~ 🤙~
camel 🐪
camera 📷
camera_with_flash 📸
camping 🏕 🏕️
candle 🕯 🕯️
candy 🍬
canned_food 🥫
canoe 🛶
card_file_box 🗃 🗃️
card_index 📇
card_index_dividers 🗂 🗂️
carousel_horse 🎠
carp_streamer 🎏
carpentry_saw 🪚
carrot 🥕
castle 🏰
cat 🐈
cat_face 🐱
cat_with_tears_of_joy 😹
cat_with_wry_smile 😼
chains ⛓ ⛓️
chair 🪑
chart_decreasing 📉
chart_increasing 📈
chart_increasing_with_yen 💹
check_box_with_check ☑ ☑️
check_mark ✔ ✔️
check_mark_button ✅
cheese_wedge 🧀
chequered_flag 🏁
cherries 🍒
cherry_blossom 🌸
chess_pawn ♟ ♟️
chestnut 🌰
chicken 🐔
child 🧒
child_~ 🧒~
children_crossing 🚸
chipmunk 🐿 🐿️
chocolate_bar 🍫
chopsticks 🥢
church ⛪
cigarette 🚬
cinema 🎦
circled_M Ⓜ Ⓜ️
circus_tent 🎪
cityscape 🏙 🏙️
cityscape_at_dusk 🌆
clamp 🗜 🗜️
clapper_board 🎬
clapping_hands 👏
clapping_hands_~ 👏~
classical_building 🏛 🏛️
clinking_beer_mugs 🍻
clinking_glasses 🥂
clipboard 📋
clockwise_vertical_arrows 🔃
closed_book 📕
closed_mailbox_with_lowered_flag 📪
closed_mailbox_with_raised_flag 📫
closed_umbrella 🌂
cloud ☁ ☁️
cloud_with_lightning 🌩 🌩️
cloud_with_lightning_and_rain ⛈ ⛈️
cloud_with_rain 🌧 🌧️
cloud_with_snow 🌨 🌨️
clown_face 🤡
club_suit ♣ ♣️
clutch_bag 👝
coat 🧥
cockroach 🪳
cocktail_glass 🍸
coconut 🥥
coffin ⚰ ⚰️
coin 🪙
cold_face 🥶
collision 💥
comet ☄ ☄️
compass 🧭
computer_disk 💽
computer_mouse 🖱 🖱️
confetti_ball 🎊
confounded_face 😖
confused_face 😕
construction 🚧
construction_worker 👷
construction_worker_~ 👷~
control_knobs 🎛 🎛️
convenience_store 🏪
cook 🧑‍🍳
cook_~ 🧑~‍🍳
cooked_rice 🍚
cookie 🍪
cooking 🍳
copyright © ©️
coral 🪸
couch_and_lamp 🛋 🛋️
counterclockwise_arrows_button 🔄
couple_with_heart 💑
couple_with_heart_man_man 👨‍❤‍👨 👨‍❤️‍👨
couple_with_heart_man_man_dark_skin_tone 👨🏿‍❤‍👨🏿 👨🏿‍❤️‍👨🏿
couple_with_heart_man_man_dark_skin_tone_light_skin_tone 👨🏿‍❤‍👨🏻 👨🏿‍❤️‍👨🏻
couple_with_heart_man_man_dark_skin_tone_medium-dark_skin_tone 👨🏿‍❤‍👨🏾 👨🏿‍❤️‍👨🏾
couple_with_heart_man_man_dark_skin_tone_medium-light_skin_tone 👨🏿‍❤‍👨🏼 👨🏿‍❤️‍👨🏼
couple_with_heart_man_man_dark_skin_tone_medium_skin_tone 👨🏿‍❤‍👨🏽 👨🏿‍❤️‍👨🏽
couple_with_heart_man_man_light_skin_tone 👨🏻‍❤‍👨🏻 👨🏻‍❤️‍👨🏻
couple_with_heart_man_man_light_skin_tone_dark_skin_tone 👨🏻‍❤‍👨🏿 👨🏻‍❤️‍👨🏿
couple_with_heart_man_man_light_skin_tone_medium-dark_skin_tone 👨🏻‍❤‍👨🏾 👨🏻‍❤️‍👨🏾
couple_with_heart_man_man_light_skin_tone_medium-light_skin_tone 👨🏻‍❤‍👨🏼 👨🏻‍❤️‍👨🏼
couple_with_heart_man_man_light_skin_tone_medium_skin_tone 👨🏻‍❤‍👨🏽 👨🏻‍❤️‍👨🏽
couple_with_heart_man_man_medium-dark_skin_tone 👨🏾‍❤‍👨🏾 👨🏾‍❤️‍👨🏾
couple_with_heart_man_man_medium-dark_skin_tone_dark_skin_tone 👨🏾‍❤‍👨🏿 👨🏾‍❤️‍👨🏿
couple_with_heart_man_man_medium-dark_skin_tone_light_skin_tone 👨🏾‍❤‍👨🏻 👨🏾‍❤️‍👨🏻
couple_with_heart_man_man_medium-dark_skin_tone_medium-light_skin_tone 👨🏾‍❤‍👨🏼 👨🏾‍❤️‍👨🏼
couple_with_heart_man_man_medium-dark_skin_tone_medium_skin_tone 👨🏾‍❤‍👨🏽 👨🏾‍❤️‍👨🏽
couple_with_heart_man_man_medium-light_skin_tone 👨🏼‍❤‍👨🏼 👨🏼‍❤️‍👨🏼
couple_with_heart_man_man_medium-light_skin_tone_dark_skin_tone 👨🏼‍❤‍👨🏿 👨🏼‍❤️‍👨🏿
couple_with_heart_man_man_medium-light_skin_tone_light_skin_tone 👨🏼‍❤‍👨🏻 👨🏼‍❤️‍👨🏻
couple_with_heart_man_man_medium-light_skin_tone_medium-dark_skin_tone 👨🏼‍❤‍👨🏾 👨🏼‍❤️‍👨🏾
couple_with_heart_man_man_medium-light_skin_tone_medium_skin_tone 👨🏼‍❤‍👨🏽 👨🏼‍❤️‍👨🏽
couple_with_heart_man_man_medium_skin_tone 👨🏽‍❤‍👨🏽 👨🏽‍❤️‍👨🏽
couple_with_heart_man_man_medium_skin_tone_dark_skin_tone 👨🏽‍❤‍👨🏿 👨🏽‍❤️‍👨🏿
couple_with_heart_man_man_medium_skin_tone_light_skin_tone 👨🏽‍❤‍👨🏻 👨🏽‍❤️‍👨🏻
couple_with_heart_man_man_medium_skin_tone_medium-dark_skin_tone 👨🏽‍❤‍👨🏾 👨🏽‍❤️‍👨🏾
couple_with_heart_man_man_medium_skin_tone_medium-light_skin_tone 👨🏽‍❤‍👨🏼 👨🏽‍❤️‍👨🏼
couple_with_heart_person_person_dark_skin_tone_light_skin_tone 🧑🏿‍❤‍🧑🏻 🧑🏿‍❤️‍🧑🏻
couple_with_heart_person_person_dark_skin_tone_medium-dark_skin_tone 🧑🏿‍❤‍🧑🏾 🧑🏿‍❤️‍🧑🏾
couple_with_heart_person_person_dark_skin_tone_medium-light_skin_tone 🧑🏿‍❤‍🧑🏼 🧑🏿‍❤️‍🧑🏼
couple_with_heart_person_person_dark_skin_tone_medium_skin_tone 🧑🏿‍❤‍🧑🏽 🧑🏿‍❤️‍🧑🏽
couple_with_heart_person_person_light_skin_tone_dark_skin_tone 🧑🏻‍❤‍🧑🏿 🧑🏻‍❤️‍🧑🏿
couple_with_heart_person_person_light_skin_tone_medium-dark_skin_tone 🧑🏻‍❤‍🧑🏾 🧑🏻‍❤️‍🧑🏾
couple_with_heart_person_person_light_skin_tone_medium-light_skin_tone 🧑🏻‍❤‍🧑🏼 🧑🏻‍❤️‍🧑🏼
couple_with_heart_person_person_light_skin_tone_medium_skin_tone 🧑🏻‍❤‍🧑🏽 🧑🏻‍❤️‍🧑🏽
couple_with_heart_person_person_medium-dark_skin_tone_dark_skin_tone 🧑🏾‍❤‍🧑🏿 🧑🏾‍❤️‍🧑🏿
couple_with_heart_person_person_medium-dark_skin_tone_light_skin_tone 🧑🏾‍❤‍🧑🏻 🧑🏾‍❤️‍🧑🏻
couple_with_heart_person_person_medium-dark_skin_tone_medium-light_skin_tone 🧑🏾‍❤‍🧑🏼 🧑🏾‍❤️‍🧑🏼
couple_with_heart_person_person_medium-dark_skin_tone_medium_skin_tone 🧑🏾‍❤‍🧑🏽 🧑🏾‍❤️‍🧑🏽
couple_with_heart_person_person_medium-light_skin_tone_dark_skin_tone 🧑🏼‍❤‍🧑🏿 🧑🏼‍❤️‍🧑🏿
couple_with_heart_person_person_medium-light_skin_tone_light_skin_tone 🧑🏼‍❤‍🧑🏻 🧑🏼‍❤️‍🧑🏻
couple_with_heart_person_person_medium-light_skin_tone_medium-dark_skin_tone 🧑🏼‍❤‍🧑🏾 🧑🏼‍❤️‍🧑🏾
couple_with_heart_person_person_medium-light_skin_tone_medium_skin_tone 🧑🏼‍❤‍🧑🏽 🧑🏼‍❤️‍🧑🏽
couple_with_heart_person_person_medium_skin_tone_dark_skin_tone 🧑🏽‍❤‍🧑🏿 🧑🏽‍❤️‍🧑🏿
couple_with_heart_person_person_medium_skin_tone_light_skin_tone 🧑🏽‍❤‍🧑🏻 🧑🏽‍❤️‍🧑🏻
couple_with_heart_person_person_medium_skin_tone_medium-dark_skin_tone 🧑🏽‍❤‍🧑🏾 🧑🏽‍❤️‍🧑🏾
couple_with_heart_person_person_medium_skin_tone_medium-light_skin_tone 🧑🏽‍❤‍🧑🏼 🧑🏽‍❤️‍🧑🏼
couple_with_heart_woman_man 👩‍❤‍👨 👩‍❤️‍👨
couple_with_heart_woman_man_dark_skin_tone 👩🏿‍❤‍👨🏿 👩🏿‍❤️‍👨🏿
couple_with_heart_woman_man_dark_skin_tone_light_skin_tone 👩🏿‍❤‍👨🏻 👩🏿‍❤️‍👨🏻
couple_with_heart_woman_man_dark_skin_tone_medium-dark_skin_tone 👩🏿‍❤‍👨🏾 👩🏿‍❤️‍👨🏾
couple_with_heart_woman_man_dark_skin_tone_medium-light_skin_tone 👩🏿‍❤‍👨🏼 👩🏿‍❤️‍👨🏼
couple_with_heart_woman_man_dark_skin_tone_medium_skin_tone 👩🏿‍❤‍👨🏽 👩🏿‍❤️‍👨🏽
couple_with_heart_woman_man_light_skin_tone 👩🏻‍❤‍👨🏻 👩🏻‍❤️‍👨🏻
couple_with_heart_woman_man_light_skin_tone_dark_skin_tone 👩🏻‍❤‍👨🏿 👩🏻‍❤️‍👨🏿
couple_with_heart_woman_man_light_skin_tone_medium-dark_skin_tone 👩🏻‍❤‍👨🏾 👩🏻‍❤️‍👨🏾
couple_with_heart_woman_man_light_skin_tone_medium-light_skin_tone 👩🏻‍❤‍👨🏼 👩🏻‍❤️‍👨🏼
couple_with_heart_woman_man_light_skin_tone_medium_skin_tone 👩🏻‍❤‍👨🏽 👩🏻‍❤️‍👨🏽
couple_with_heart_woman_man_medium-dark_skin_tone 👩🏾‍❤‍👨🏾 👩🏾‍❤️‍👨🏾
couple_with_heart_woman_man_medium-dark_skin_tone_dark_skin_tone 👩🏾‍❤‍👨🏿 👩🏾‍❤️‍👨🏿
couple_with_heart_woman_man_medium-dark_skin_tone_light_skin_tone 👩🏾‍❤‍👨🏻 👩🏾‍❤️‍👨🏻
couple_with_heart_woman_man_medium-dark_skin_tone_medium-light_skin_tone 👩🏾‍❤‍👨🏼 👩🏾‍❤️‍👨🏼
couple_with_heart_woman_man_medium-dark_skin_tone_medium_skin_tone 👩🏾‍❤‍👨🏽 👩🏾‍❤️‍👨🏽
couple_with_heart_woman_man_medium-light_skin_tone 👩🏼‍❤‍👨🏼 👩🏼‍❤️‍👨🏼
couple_with_heart_woman_man_medium-light_skin_tone_dark_skin_tone 👩🏼‍❤‍👨🏿 👩🏼‍❤️‍👨🏿
couple_with_heart_woman_man_medium-light_skin_tone_light_skin_tone 👩🏼‍❤‍👨🏻 👩🏼‍❤️‍👨🏻
couple_with_heart_woman_man_medium-light_skin_tone_medium-dark_skin_tone 👩🏼‍❤‍👨🏾 👩🏼‍❤️‍👨🏾
couple_with_heart_woman_man_medium-light_skin_tone_medium_skin_tone 👩🏼‍❤‍👨🏽 👩🏼‍❤️‍👨🏽
couple_with_heart_woman_man_medium_skin_tone 👩🏽‍❤‍👨🏽 👩🏽‍❤️‍👨🏽
couple_with_heart_woman_man_medium_skin_tone_dark_skin_tone 👩🏽‍❤‍👨🏿 👩🏽‍❤️‍👨🏿
couple_with_heart_woman_man_medium_skin_tone_light_skin_tone 👩🏽‍❤‍👨🏻 👩🏽‍❤️‍👨🏻
couple_with_heart_woman_man_medium_skin_tone_medium-dark_skin_tone 👩🏽‍❤‍👨🏾 👩🏽‍❤️‍👨🏾
couple_with_heart_woman_man_medium_skin_tone_medium-light_skin_tone 👩🏽‍❤‍👨🏼 👩🏽‍❤️‍👨🏼
couple_with_heart_woman_woman 👩‍❤‍👩 👩‍❤️‍👩
couple_with_heart_woman_woman_dark_skin_tone 👩🏿‍❤‍👩🏿 👩🏿‍❤️‍👩🏿
couple_with_heart_woman_woman_dark_skin_tone_light_skin_tone 👩🏿‍❤‍👩🏻 👩🏿‍❤️‍👩🏻
couple_with_heart_woman_woman_dark_skin_tone_medium-dark_skin_tone 👩🏿‍❤‍👩🏾 👩🏿‍❤️‍👩🏾
couple_with_heart_woman_woman_dark_skin_tone_medium-light_skin_tone 👩🏿‍❤‍👩🏼 👩🏿‍❤️‍👩🏼
couple_with_heart_woman_woman_dark_skin_tone_medium_skin_tone 👩🏿‍❤‍👩🏽 👩🏿‍❤️‍👩🏽
couple_with_heart_woman_woman_light_skin_tone 👩🏻‍❤‍👩🏻 👩🏻‍❤️‍👩🏻
couple_with_heart_woman_woman_light_skin_tone_dark_skin_tone 👩🏻‍❤‍👩🏿 👩🏻‍❤️‍👩🏿
couple_with_heart_woman_woman_light_skin_tone_medium-dark_skin_tone 👩🏻‍❤‍👩🏾 👩🏻‍❤️‍👩🏾
couple_with_heart_woman_woman_light_skin_tone_medium-light_skin_tone 👩🏻‍❤‍👩🏼 👩🏻‍❤️‍👩🏼
couple_with_heart_woman_woman_light_skin_tone_medium_skin_tone 👩🏻‍❤‍👩🏽 👩🏻‍❤️‍👩🏽
couple_with_heart_woman_woman_medium-dark_skin_tone 👩🏾‍❤‍👩🏾 👩🏾‍❤️‍👩🏾
couple_with_heart_woman_woman_medium-dark_skin_tone_dark_skin_tone 👩🏾‍❤‍👩🏿 👩🏾‍❤️‍👩🏿
couple_with_heart_woman_woman_medium-dark_skin_tone_light_skin_tone 👩🏾‍❤‍👩🏻 👩🏾‍❤️‍👩🏻
couple_with_heart_woman_woman_medium-dark_skin_tone_medium-light_skin_tone 👩🏾‍❤‍👩🏼 👩🏾‍❤️‍👩🏼
couple_with_heart_woman_woman_medium-dark_skin_tone_medium_skin_tone 👩🏾‍❤‍👩🏽 👩🏾‍❤️‍👩🏽
couple_with_heart_woman_woman_medium-light_skin_tone 👩🏼‍❤‍👩🏼 👩🏼‍❤️‍👩🏼
couple_with_heart_woman_woman_medium-light_skin_tone_dark_skin_tone 👩🏼‍❤‍👩🏿 👩🏼‍❤️‍👩🏿
couple_with_heart_woman_woman_medium-light_skin_tone_light_skin_tone 👩🏼‍❤‍👩🏻 👩🏼‍❤️‍👩🏻
couple_with_heart_woman_woman_medium-light_skin_tone_medium-dark_skin_tone 👩🏼‍❤‍👩🏾 👩🏼‍❤️‍👩🏾
couple_with_heart_woman_woman_medium-light_skin_tone_medium_skin_tone 👩🏼‍❤‍👩🏽 👩🏼‍❤️‍👩🏽
couple_with_heart_woman_woman_medium_skin_tone 👩🏽‍❤‍👩🏽 👩🏽‍❤️‍👩🏽
couple_with_heart_woman_woman_medium_skin_tone_dark_skin_tone 👩🏽‍❤‍👩🏿 👩🏽‍❤️‍👩🏿
couple_with_heart_woman_woman_medium_skin_tone_light_skin_tone 👩🏽‍❤‍👩🏻 👩🏽‍❤️‍👩🏻
couple_with_heart_woman_woman_medium_skin_tone_medium-dark_skin_tone 👩🏽‍❤‍👩🏾 👩🏽‍❤️‍👩🏾
couple_with_heart_woman_woman_medium_skin_tone_medium-light_skin_tone 👩🏽‍❤‍👩🏼 👩🏽‍❤️‍👩🏼
couple_with_heart_~ 💑~
cow 🐄
cow_face 🐮
cowboy_hat_face 🤠
crab 🦀
cracking_face 🫫
crayon 🖍 🖍️
credit_card 💳
crescent_moon 🌙
cricket 🦗
cricket_game 🏏
crocodile 🐊
croissant 🥐
cross_mark ❌
cross_mark_button ❎
crossed_fingers 🤞
crossed_fingers_~ 🤞~
crossed_flags 🎌
crossed_swords ⚔ ⚔️
crown 👑
crutch 🩼
crying_cat 😿
crying_face 😢
crystal_ball 🔮
cucumber 🥒
cup_with_straw 🥤
cupcake 🧁
curling_stone 🥌
curly_hair 🦱
curly_loop ➰
currency_exchange 💱
curry_rice 🍛
custard 🍮
customs 🛃
cut_of_meat 🥩
cyclone 🌀
dagger 🗡 🗡️
dango 🍡
dark_skin_tone 🏿
dashing_away 💨
deaf_man 🧏‍♂ 🧏‍♂️
deaf_man_~ 🧏~‍♂ 🧏~‍♂️
deaf_person 🧏
deaf_person_~ 🧏~
deaf_woman 🧏‍♀ 🧏‍♀️
deaf_woman_~ 🧏~‍♀ 🧏~‍♀️
deciduous_tree 🌳
deer 🦌
delivery_truck 🚚
department_store 🏬
derelict_house 🏚 🏚️
desert 🏜 🏜️
desert_island 🏝 🏝️
desktop_computer 🖥 🖥️
detective 🕵 🕵️
detective_~ 🕵~
diamond_suit ♦ ♦️
diamond_with_a_dot 💠
dim_button 🔅
disappointed_face 😞
disguised_face 🥸
distorted_face 🫪
divide ➗
diving_mask 🤿
diya_lamp 🪔
dizzy 💫
dna 🧬
dodo 🦤
dog 🐕
dog_face 🐶
dollar_banknote 💵
dolphin 🐬
donkey 🫏
door 🚪
dotted_line_face 🫥
dotted_six-pointed_star 🔯
double_curly_loop ➿
double_exclamation_mark ‼ ‼️
doughnut 🍩
dove 🕊 🕊️
down-left_arrow ↙ ↙️
down-right_arrow ↘ ↘️
down_arrow ⬇ ⬇️
downcast_face_with_sweat 😓
downwards_button 🔽
dragon 🐉
dragon_face 🐲
dress 👗
drooling_face 🤤
drop_of_blood 🩸
droplet 💧
drum 🥁
duck 🦆
dumpling 🥟
dvd 📀
e-mail 📧
eagle 🦅
ear 👂
ear_of_corn 🌽
ear_with_hearing_aid 🦻
ear_with_hearing_aid_~ 🦻~
ear_~ 👂~
egg 🥚
eggplant 🍆
eight-pointed_star ✴ ✴️
eight-spoked_asterisk ✳ ✳️
eight-thirty 🕣
eight_o’clock 🕗
eject_button ⏏ ⏏️
electric_plug 🔌
elephant 🐘
elevator 🛗
eleven-thirty 🕦
eleven_o’clock 🕚
elf 🧝
elf_~ 🧝~
empty_nest 🪹
enraged_face 😡
envelope ✉ ✉️
envelope_with_arrow 📩
eraser 🪌
euro_banknote 💶
evergreen_tree 🌲
ewe 🐑
exclamation_question_mark ⁉ ⁉️
exploding_head 🤯
expressionless_face 😑
eye 👁 👁️
eye_in_speech_bubble 👁‍🗨 👁‍🗨️ 👁️‍🗨 👁️‍🗨️
eyes 👀
face_blowing_a_kiss 😘
face_exhaling 😮‍💨
face_holding_back_tears 🥹
face_in_clouds 😶‍🌫 😶‍🌫️
face_savoring_food 😋
face_screaming_in_fear 😱
face_vomiting 🤮
face_with_bags_under_eyes 🫩
face_with_crossed-out_eyes 😵
face_with_diagonal_mouth 🫤
face_with_hand_over_mouth 🤭
face_with_head-bandage 🤕
face_with_medical_mask 😷
face_with_monocle 🧐
face_with_open_eyes_and_hand_over_mouth 🫢
face_with_open_mouth 😮
face_with_peeking_eye 🫣
face_with_raised_eyebrow 🤨
face_with_rolling_eyes 🙄
face_with_spiral_eyes 😵‍💫
face_with_steam_from_nose 😤
face_with_symbols_on_mouth 🤬
face_with_tears_of_joy 😂
face_with_thermometer 🤒
face_with_tongue 😛
face_without_mouth 😶
factory 🏭
factory_worker 🧑‍🏭
factory_worker_~ 🧑~‍🏭
fairy 🧚
fairy_~ 🧚~
falafel 🧆
fallen_leaf 🍂
family 👪
family_adult_adult_child 🧑‍🧑‍🧒
family_adult_adult_child_child 🧑‍🧑‍🧒‍🧒
family_adult_child 🧑‍🧒
family_adult_child_child 🧑‍🧒‍🧒
family_man_boy 👨‍👦
family_man_boy_boy 👨‍👦‍👦
family_man_girl 👨‍👧
family_man_girl_boy 👨‍👧‍👦
family_man_girl_girl 👨‍👧‍👧
family_man_man_boy 👨‍👨‍👦
family_man_man_boy_boy 👨‍👨‍👦‍👦
family_man_man_girl 👨‍👨‍👧
family_man_man_girl_boy 👨‍👨‍👧‍👦
family_man_man_girl_girl 👨‍👨‍👧‍👧
family_man_woman_boy 👨‍👩‍👦
family_man_woman_boy_boy 👨‍👩‍👦‍👦
family_man_woman_girl 👨‍👩‍👧
family_man_woman_girl_boy 👨‍👩‍👧‍👦
family_man_woman_girl_girl 👨‍👩‍👧‍👧
family_woman_boy 👩‍👦
family_woman_boy_boy 👩‍👦‍👦
family_woman_girl 👩‍👧
family_woman_girl_boy 👩‍👧‍👦
family_woman_girl_girl 👩‍👧‍👧
family_woman_woman_boy 👩‍👩‍👦
family_woman_woman_boy_boy 👩‍👩‍👦‍👦
family_woman_woman_girl 👩‍👩‍👧
family_woman_woman_girl_boy 👩‍👩‍👧‍👦
family_woman_woman_girl_girl 👩‍👩‍👧‍👧
farmer 🧑‍🌾
farmer_~ 🧑~‍🌾
fast-forward_button ⏩
fast_down_button ⏬
fast_reverse_button ⏪
fast_up_button ⏫
fax_machine 📠
fearful_face 😨
feather 🪶
female_sign ♀ ♀️
ferris_wheel 🎡
ferry ⛴ ⛴️
field_hockey 🏑
fight_cloud 🫯
file_cabinet 🗄 🗄️
file_folder 📁
film_frames 🎞 🎞️
film_projector 📽 📽️
fingerprint 🫆
fire 🔥
fire_engine 🚒
fire_extinguisher 🧯
firecracker 🧨
firefighter 🧑‍🚒
firefighter_~ 🧑~‍🚒
fireworks 🎆
first_quarter_moon 🌓
first_quarter_moon_face 🌛
fish 🐟
fish_cake_with_swirl 🍥
fishing_pole 🎣
five-thirty 🕠
five_o’clock 🕔
flag_in_hole ⛳
flamingo 🦩
flashlight 🔦
flat_shoe 🥿
flatbread 🫓
fleur-de-lis ⚜ ⚜️
flexed_biceps 💪
flexed_biceps_~ 💪~
floppy_disk 💾
flower_playing_cards 🎴
flushed_face 😳
flute 🪈
fly 🪰
flying_disc 🥏
flying_saucer 🛸
fog 🌫 🌫️
foggy 🌁
folded_hands 🙏
folded_hands_~ 🙏~
folding_hand_fan 🪭
fondue 🫕
foot 🦶
foot_~ 🦶~
footprints 👣
fork_and_knife 🍴
fork_and_knife_with_plate 🍽 🍽️
fortune_cookie 🥠
fountain ⛲
fountain_pen 🖋 🖋️
four-thirty 🕟
four_leaf_clover 🍀
four_o’clock 🕓
fox 🦊
framed_picture 🖼 🖼️
french_fries 🍟
fried_shrimp 🍤
frog 🐸
front-facing_baby_chick 🐥
frowning_face ☹ ☹️
frowning_face_with_open_mouth 😦
fuel_pump ⛽
full_moon 🌕
full_moon_face 🌝
funeral_urn ⚱ ⚱️
game_die 🎲
garlic 🧄
gear ⚙ ⚙️
gem_stone 💎
genie 🧞
ghost 👻
ginger_root 🫚
giraffe 🦒
girl 👧
girl_~ 👧~
glass_of_milk 🥛
glasses 👓
globe_showing_Americas 🌎
globe_showing_Asia-Australia 🌏
globe_showing_Europe-Africa 🌍
globe_with_meridians 🌐
gloves 🧤
glowing_star 🌟
goal_net 🥅
goat 🐐
goblin 👺
goggles 🥽
goose 🪿
gorilla 🦍
graduation_cap 🎓
grapes 🍇
green_apple 🍏
green_book 📗
green_circle 🟢
green_heart 💚
green_salad 🥗
green_square 🟩
grey_heart 🩶
grimacing_face 😬
grinning_cat 😺
grinning_cat_with_smiling_eyes 😸
grinning_face 😀
grinning_face_with_big_eyes 😃
grinning_face_with_smiling_eyes 😄
grinning_face_with_sweat 😅
grinning_squinting_face 😆
growing_heart 💗
guard 💂
guard_~ 💂~
guide_dog 🦮
guitar 🎸
hair_pick 🪮
hairy_creature 🫈
hamburger 🍔
hammer 🔨
hammer_and_pick ⚒ ⚒️
hammer_and_wrench 🛠 🛠️
hamsa 🪬
hamster 🐹
hand_with_fingers_splayed 🖐 🖐️
hand_with_fingers_splayed_~ 🖐~
hand_with_index_finger_and_thumb_crossed 🫰
hand_with_index_finger_and_thumb_crossed_~ 🫰~
handbag 👜
handshake 🤝
handshake_dark_skin_tone_light_skin_tone 🫱🏿‍🫲🏻
handshake_dark_skin_tone_medium-dark_skin_tone 🫱🏿‍🫲🏾
handshake_dark_skin_tone_medium-light_skin_tone 🫱🏿‍🫲🏼
handshake_dark_skin_tone_medium_skin_tone 🫱🏿‍🫲🏽
handshake_light_skin_tone_dark_skin_tone 🫱🏻‍🫲🏿
handshake_light_skin_tone_medium-dark_skin_tone 🫱🏻‍🫲🏾
handshake_light_skin_tone_medium-light_skin_tone 🫱🏻‍🫲🏼
handshake_light_skin_tone_medium_skin_tone 🫱🏻‍🫲🏽
handshake_medium-dark_skin_tone_dark_skin_tone 🫱🏾‍🫲🏿
handshake_medium-dark_skin_tone_light_skin_tone 🫱🏾‍🫲🏻
handshake_medium-dark_skin_tone_medium-light_skin_tone 🫱🏾‍🫲🏼
handshake_medium-dark_skin_tone_medium_skin_tone 🫱🏾‍🫲🏽
handshake_medium-light_skin_tone_dark_skin_tone 🫱🏼‍🫲🏿
handshake_medium-light_skin_tone_light_skin_tone 🫱🏼‍🫲🏻
handshake_medium-light_skin_tone_medium-dark_skin_tone 🫱🏼‍🫲🏾
handshake_medium-light_skin_tone_medium_skin_tone 🫱🏼‍🫲🏽
handshake_medium_skin_tone_dark_skin_tone 🫱🏽‍🫲🏿
handshake_medium_skin_tone_light_skin_tone 🫱🏽‍🫲🏻
handshake_medium_skin_tone_medium-dark_skin_tone 🫱🏽‍🫲🏾
handshake_medium_skin_tone_medium-light_skin_tone 🫱🏽‍🫲🏼
handshake_~ 🤝~
harp 🪉
hatching_chick 🐣
head_shaking_horizontally 🙂‍↔ 🙂‍↔️
head_shaking_vertically 🙂‍↕ 🙂‍↕️
headphone 🎧
headstone 🪦
health_worker 🧑‍⚕ 🧑‍⚕️
health_worker_~ 🧑~‍⚕ 🧑~‍⚕️
hear-no-evil_monkey 🙉
heart_decoration 💟
heart_exclamation ❣ ❣️
heart_hands 🫶
heart_hands_~ 🫶~
heart_on_fire ❤‍🔥 ❤️‍🔥
heart_suit ♥ ♥️
heart_with_arrow 💘
heart_with_ribbon 💝
heavy_dollar_sign 💲
heavy_equals_sign 🟰
hedgehog 🦔
helicopter 🚁
herb 🌿
hibiscus 🌺
high-heeled_shoe 👠
high-speed_train 🚄
high_voltage ⚡
hiking_boot 🥾
hindu_temple 🛕
hippopotamus 🦛
hole 🕳 🕳️
hollow_red_circle ⭕
honey_pot 🍯
honeybee 🐝
hook 🪝
horizontal_traffic_light 🚥
horse 🐎
horse_face 🐴
horse_racing 🏇
horse_racing_~ 🏇~
hospital 🏥
hot_beverage ☕
hot_dog 🌭
hot_face 🥵
hot_pepper 🌶 🌶️
hot_springs ♨ ♨️
hotel 🏨
hourglass_done ⌛
hourglass_not_done ⏳
house 🏠
house_with_garden 🏡
houses 🏘 🏘️
hundred_points 💯
hushed_face 😯
hut 🛖
hyacinth 🪻
ice 🧊
ice_cream 🍨
ice_hockey 🏒
ice_skate ⛸ ⛸️
identification_card 🪪
inbox_tray 📥
incoming_envelope 📨
index_pointing_at_the_viewer 🫵
index_pointing_at_the_viewer_~ 🫵~
index_pointing_up ☝ ☝️
index_pointing_up_~ ☝~
infinity ♾ ♾️
information ℹ ℹ️
input_latin_letters 🔤
input_latin_lowercase 🔡
input_latin_uppercase 🔠
input_numbers 🔢
input_symbols 🔣
jack-o-lantern 🎃
jar 🫙
jeans 👖
jellyfish 🪼
joker 🃏
joystick 🕹 🕹️
judge 🧑‍⚖ 🧑‍⚖️
judge_~ 🧑~‍⚖ 🧑~‍⚖️
kaaba 🕋
kangaroo 🦘
key 🔑
keyboard ⌨ ⌨️
keycap_# #⃣ #️⃣
keycap_* *⃣ *️⃣
keycap_0 0⃣ 0️⃣
keycap_1 1⃣ 1️⃣
keycap_10 🔟
keycap_2 2⃣ 2️⃣
keycap_3 3⃣ 3️⃣
keycap_4 4⃣ 4️⃣
keycap_5 5⃣ 5️⃣
keycap_6 6⃣ 6️⃣
keycap_7 7⃣ 7️⃣
keycap_8 8⃣ 8️⃣
keycap_9 9⃣ 9️⃣
khanda 🪯
kick_scooter 🛴
kimono 👘
kiss 💏
kiss_man_man 👨‍❤‍💋‍👨 👨‍❤️‍💋‍👨
kiss_man_man_dark_skin_tone 👨🏿‍❤‍💋‍👨🏿 👨🏿‍❤️‍💋‍👨🏿
kiss_man_man_dark_skin_tone_light_skin_tone 👨🏿‍❤‍💋‍👨🏻 👨🏿‍❤️‍💋‍👨🏻
kiss_man_man_dark_skin_tone_medium-dark_skin_tone 👨🏿‍❤‍💋‍👨🏾 👨🏿‍❤️‍💋‍👨🏾
kiss_man_man_dark_skin_tone_medium-light_skin_tone 👨🏿‍❤‍💋‍👨🏼 👨🏿‍❤️‍💋‍👨🏼
kiss_man_man_dark_skin_tone_medium_skin_tone 👨🏿‍❤‍💋‍👨🏽 👨🏿‍❤️‍💋‍👨🏽
kiss_man_man_light_skin_tone 👨🏻‍❤‍💋‍👨🏻 👨🏻‍❤️‍💋‍👨🏻
kiss_man_man_light_skin_tone_dark_skin_tone 👨🏻‍❤‍💋‍👨🏿 👨🏻‍❤️‍💋‍👨🏿
kiss_man_man_light_skin_tone_medium-dark_skin_tone 👨🏻‍❤‍💋‍👨🏾 👨🏻‍❤️‍💋‍👨🏾
kiss_man_man_light_skin_tone_medium-light_skin_tone 👨🏻‍❤‍💋‍👨🏼 👨🏻‍❤️‍💋‍👨🏼
kiss_man_man_light_skin_tone_medium_skin_tone 👨🏻‍❤‍💋‍👨🏽 👨🏻‍❤️‍💋‍👨🏽
kiss_man_man_medium-dark_skin_tone 👨🏾‍❤‍💋‍👨🏾 👨🏾‍❤️‍💋‍👨🏾
kiss_man_man_medium-dark_skin_tone_dark_skin_tone 👨🏾‍❤‍💋‍👨🏿 👨🏾‍❤️‍💋‍👨🏿
kiss_man_man_medium-dark_skin_tone_light_skin_tone 👨🏾‍❤‍💋‍👨🏻 👨🏾‍❤️‍💋‍👨🏻
kiss_man_man_medium-dark_skin_tone_medium-light_skin_tone 👨🏾‍❤‍💋‍👨🏼 👨🏾‍❤️‍💋‍👨🏼
kiss_man_man_medium-dark_skin_tone_medium_skin_tone 👨🏾‍❤‍💋‍👨🏽 👨🏾‍❤️‍💋‍👨🏽
kiss_man_man_medium-light_skin_tone 👨🏼‍❤‍💋‍👨🏼 👨🏼‍❤️‍💋‍👨🏼
kiss_man_man_medium-light_skin_tone_dark_skin_tone 👨🏼‍❤‍💋‍👨🏿 👨🏼‍❤️‍💋‍👨🏿
kiss_man_man_medium-light_skin_tone_light_skin_tone 👨🏼‍❤‍💋‍👨🏻 👨🏼‍❤️‍💋‍👨🏻
kiss_man_man_medium-light_skin_tone_medium-dark_skin_tone 👨🏼‍❤‍💋‍👨🏾 👨🏼‍❤️‍💋‍👨🏾
kiss_man_man_medium-light_skin_tone_medium_skin_tone 👨🏼‍❤‍💋‍👨🏽 👨🏼‍❤️‍💋‍👨🏽
kiss_man_man_medium_skin_tone 👨🏽‍❤‍💋‍👨🏽 👨🏽‍❤️‍💋‍👨🏽
kiss_man_man_medium_skin_tone_dark_skin_tone 👨🏽‍❤‍💋‍👨🏿 👨🏽‍❤️‍💋‍👨🏿
kiss_man_man_medium_skin_tone_light_skin_tone 👨🏽‍❤‍💋‍👨🏻 👨🏽‍❤️‍💋‍👨🏻
kiss_man_man_medium_skin_tone_medium-dark_skin_tone 👨🏽‍❤‍💋‍👨🏾 👨🏽‍❤️‍💋‍👨🏾
kiss_man_man_medium_skin_tone_medium-light_skin_tone 👨🏽‍❤‍💋‍👨🏼 👨🏽‍❤️‍💋‍👨🏼
kiss_mark 💋
kiss_person_person_dark_skin_tone_light_skin_tone 🧑🏿‍❤‍💋‍🧑🏻 🧑🏿‍❤️‍💋‍🧑🏻
kiss_person_person_dark_skin_tone_medium-dark_skin_tone 🧑🏿‍❤‍💋‍🧑🏾 🧑🏿‍❤️‍💋‍🧑🏾
kiss_person_person_dark_skin_tone_medium-light_skin_tone 🧑🏿‍❤‍💋‍🧑🏼 🧑🏿‍❤️‍💋‍🧑🏼
kiss_person_person_dark_skin_tone_medium_skin_tone 🧑🏿‍❤‍💋‍🧑🏽 🧑🏿‍❤️‍💋‍🧑🏽
kiss_person_person_light_skin_tone_dark_skin_tone 🧑🏻‍❤‍💋‍🧑🏿 🧑🏻‍❤️‍💋‍🧑🏿
kiss_person_person_light_skin_tone_medium-dark_skin_tone 🧑🏻‍❤‍💋‍🧑🏾 🧑🏻‍❤️‍💋‍🧑🏾
kiss_person_person_light_skin_tone_medium-light_skin_tone 🧑🏻‍❤‍💋‍🧑🏼 🧑🏻‍❤️‍💋‍🧑🏼
kiss_person_person_light_skin_tone_medium_skin_tone 🧑🏻‍❤‍💋‍🧑🏽 🧑🏻‍❤️‍💋‍🧑🏽
kiss_person_person_medium-dark_skin_tone_dark_skin_tone 🧑🏾‍❤‍💋‍🧑🏿 🧑🏾‍❤️‍💋‍🧑🏿
kiss_person_person_medium-dark_skin_tone_light_skin_tone 🧑🏾‍❤‍💋‍🧑🏻 🧑🏾‍❤️‍💋‍🧑🏻
kiss_person_person_medium-dark_skin_tone_medium-light_skin_tone 🧑🏾‍❤‍💋‍🧑🏼 🧑🏾‍❤️‍💋‍🧑🏼
kiss_person_person_medium-dark_skin_tone_medium_skin_tone 🧑🏾‍❤‍💋‍🧑🏽 🧑🏾‍❤️‍💋‍🧑🏽
kiss_person_person_medium-light_skin_tone_dark_skin_tone 🧑🏼‍❤‍💋‍🧑🏿 🧑🏼‍❤️‍💋‍🧑🏿
kiss_person_person_medium-light_skin_tone_light_skin_tone 🧑🏼‍❤‍💋‍🧑🏻 🧑🏼‍❤️‍💋‍🧑🏻
kiss_person_person_medium-light_skin_tone_medium-dark_skin_tone 🧑🏼‍❤‍💋‍🧑🏾 🧑🏼‍❤️‍💋‍🧑🏾
kiss_person_person_medium-light_skin_tone_medium_skin_tone 🧑🏼‍❤‍💋‍🧑🏽 🧑🏼‍❤️‍💋‍🧑🏽
kiss_person_person_medium_skin_tone_dark_skin_tone 🧑🏽‍❤‍💋‍🧑🏿 🧑🏽‍❤️‍💋‍🧑🏿
kiss_person_person_medium_skin_tone_light_skin_tone 🧑🏽‍❤‍💋‍🧑🏻 🧑🏽‍❤️‍💋‍🧑🏻
kiss_person_person_medium_skin_tone_medium-dark_skin_tone 🧑🏽‍❤‍💋‍🧑🏾 🧑🏽‍❤️‍💋‍🧑🏾
kiss_person_person_medium_skin_tone_medium-light_skin_tone 🧑🏽‍❤‍💋‍🧑🏼 🧑🏽‍❤️‍💋‍🧑🏼
kiss_woman_man 👩‍❤‍💋‍👨 👩‍❤️‍💋‍👨
kiss_woman_man_dark_skin_tone 👩🏿‍❤‍💋‍👨🏿 👩🏿‍❤️‍💋‍👨🏿
kiss_woman_man_dark_skin_tone_light_skin_tone 👩🏿‍❤‍💋‍👨🏻 👩🏿‍❤️‍💋‍👨🏻
kiss_woman_man_dark_skin_tone_medium-dark_skin_tone 👩🏿‍❤‍💋‍👨🏾 👩🏿‍❤️‍💋‍👨🏾
kiss_woman_man_dark_skin_tone_medium-light_skin_tone 👩🏿‍❤‍💋‍👨🏼 👩🏿‍❤️‍💋‍👨🏼
kiss_woman_man_dark_skin_tone_medium_skin_tone 👩🏿‍❤‍💋‍👨🏽 👩🏿‍❤️‍💋‍👨🏽
kiss_woman_man_light_skin_tone 👩🏻‍❤‍💋‍👨🏻 👩🏻‍❤️‍💋‍👨🏻
kiss_woman_man_light_skin_tone_dark_skin_tone 👩🏻‍❤‍💋‍👨🏿 👩🏻‍❤️‍💋‍👨🏿
kiss_woman_man_light_skin_tone_medium-dark_skin_tone 👩🏻‍❤‍💋‍👨🏾 👩🏻‍❤️‍💋‍👨🏾
kiss_woman_man_light_skin_tone_medium-light_skin_tone 👩🏻‍❤‍💋‍👨🏼 👩🏻‍❤️‍💋‍👨🏼
kiss_woman_man_light_skin_tone_medium_skin_tone 👩🏻‍❤‍💋‍👨🏽 👩🏻‍❤️‍💋‍👨🏽
kiss_woman_man_medium-dark_skin_tone 👩🏾‍❤‍💋‍👨🏾 👩🏾‍❤️‍💋‍👨🏾
kiss_woman_man_medium-dark_skin_tone_dark_skin_tone 👩🏾‍❤‍💋‍👨🏿 👩🏾‍❤️‍💋‍👨🏿
kiss_woman_man_medium-dark_skin_tone_light_skin_tone 👩🏾‍❤‍💋‍👨🏻 👩🏾‍❤️‍💋‍👨🏻
kiss_woman_man_medium-dark_skin_tone_medium-light_skin_tone 👩🏾‍❤‍💋‍👨🏼 👩🏾‍❤️‍💋‍👨🏼
kiss_woman_man_medium-dark_skin_tone_medium_skin_tone 👩🏾‍❤‍💋‍👨🏽 👩🏾‍❤️‍💋‍👨🏽
kiss_woman_man_medium-light_skin_tone 👩🏼‍❤‍💋‍👨🏼 👩🏼‍❤️‍💋‍👨🏼
kiss_woman_man_medium-light_skin_tone_dark_skin_tone 👩🏼‍❤‍💋‍👨🏿 👩🏼‍❤️‍💋‍👨🏿
kiss_woman_man_medium-light_skin_tone_light_skin_tone 👩🏼‍❤‍💋‍👨🏻 👩🏼‍❤️‍💋‍👨🏻
kiss_woman_man_medium-light_skin_tone_medium-dark_skin_tone 👩🏼‍❤‍💋‍👨🏾 👩🏼‍❤️‍💋‍👨🏾
kiss_woman_man_medium-light_skin_tone_medium_skin_tone 👩🏼‍❤‍💋‍👨🏽 👩🏼‍❤️‍💋‍👨🏽
kiss_woman_man_medium_skin_tone 👩🏽‍❤‍💋‍👨🏽 👩🏽‍❤️‍💋‍👨🏽
kiss_woman_man_medium_skin_tone_dark_skin_tone 👩🏽‍❤‍💋‍👨🏿 👩🏽‍❤️‍💋‍👨🏿
kiss_woman_man_medium_skin_tone_light_skin_tone 👩🏽‍❤‍💋‍👨🏻 👩🏽‍❤️‍💋‍👨🏻
kiss_woman_man_medium_skin_tone_medium-dark_skin_tone 👩🏽‍❤‍💋‍👨🏾 👩🏽‍❤️‍💋‍👨🏾
kiss_woman_man_medium_skin_tone_medium-light_skin_tone 👩🏽‍❤‍💋‍👨🏼 👩🏽‍❤️‍💋‍👨🏼
kiss_woman_woman 👩‍❤‍💋‍👩 👩‍❤️‍💋‍👩
kiss_woman_woman_dark_skin_tone 👩🏿‍❤‍💋‍👩🏿 👩🏿‍❤️‍💋‍👩🏿
kiss_woman_woman_dark_skin_tone_light_skin_tone 👩🏿‍❤‍💋‍👩🏻 👩🏿‍❤️‍💋‍👩🏻
kiss_woman_woman_dark_skin_tone_medium-dark_skin_tone 👩🏿‍❤‍💋‍👩🏾 👩🏿‍❤️‍💋‍👩🏾
kiss_woman_woman_dark_skin_tone_medium-light_skin_tone 👩🏿‍❤‍💋‍👩🏼 👩🏿‍❤️‍💋‍👩🏼
kiss_woman_woman_dark_skin_tone_medium_skin_tone 👩🏿‍❤‍💋‍👩🏽 👩🏿‍❤️‍💋‍👩🏽
kiss_woman_woman_light_skin_tone 👩🏻‍❤‍💋‍👩🏻 👩🏻‍❤️‍💋‍👩🏻
kiss_woman_woman_light_skin_tone_dark_skin_tone 👩🏻‍❤‍💋‍👩🏿 👩🏻‍❤️‍💋‍👩🏿
kiss_woman_woman_light_skin_tone_medium-dark_skin_tone 👩🏻‍❤‍💋‍👩🏾 👩🏻‍❤️‍💋‍👩🏾
kiss_woman_woman_light_skin_tone_medium-light_skin_tone 👩🏻‍❤‍💋‍👩🏼 👩🏻‍❤️‍💋‍👩🏼
kiss_woman_woman_light_skin_tone_medium_skin_tone 👩🏻‍❤‍💋‍👩🏽 👩🏻‍❤️‍💋‍👩🏽
kiss_woman_woman_medium-dark_skin_tone 👩🏾‍❤‍💋‍👩🏾 👩🏾‍❤️‍💋‍👩🏾
kiss_woman_woman_medium-dark_skin_tone_dark_skin_tone 👩🏾‍❤‍💋‍👩🏿 👩🏾‍❤️‍💋‍👩🏿
kiss_woman_woman_medium-dark_skin_tone_light_skin_tone 👩🏾‍❤‍💋‍👩🏻 👩🏾‍❤️‍💋‍👩🏻
kiss_woman_woman_medium-dark_skin_tone_medium-light_skin_tone 👩🏾‍❤‍💋‍👩🏼 👩🏾‍❤️‍💋‍👩🏼
kiss_woman_woman_medium-dark_skin_tone_medium_skin_tone 👩🏾‍❤‍💋‍👩🏽 👩🏾‍❤️‍💋‍👩🏽
kiss_woman_woman_medium-light_skin_tone 👩🏼‍❤‍💋‍👩🏼 👩🏼‍❤️‍💋‍👩🏼
kiss_woman_woman_medium-light_skin_tone_dark_skin_tone 👩🏼‍❤‍💋‍👩🏿 👩🏼‍❤️‍💋‍👩🏿
kiss_woman_woman_medium-light_skin_tone_light_skin_tone 👩🏼‍❤‍💋‍👩🏻 👩🏼‍❤️‍💋‍👩🏻
kiss_woman_woman_medium-light_skin_tone_medium-dark_skin_tone 👩🏼‍❤‍💋‍👩🏾 👩🏼‍❤️‍💋‍👩🏾
kiss_woman_woman_medium-light_skin_tone_medium_skin_tone 👩🏼‍❤‍💋‍👩🏽 👩🏼‍❤️‍💋‍👩🏽
kiss_woman_woman_medium_skin_tone 👩🏽‍❤‍💋‍👩🏽 👩🏽‍❤️‍💋‍👩🏽
kiss_woman_woman_medium_skin_tone_dark_skin_tone 👩🏽‍❤‍💋‍👩🏿 👩🏽‍❤️‍💋‍👩🏿
kiss_woman_woman_medium_skin_tone_light_skin_tone 👩🏽‍❤‍💋‍👩🏻 👩🏽‍❤️‍💋‍👩🏻
kiss_woman_woman_medium_skin_tone_medium-dark_skin_tone 👩🏽‍❤‍💋‍👩🏾 👩🏽‍❤️‍💋‍👩🏾
kiss_woman_woman_medium_skin_tone_medium-light_skin_tone 👩🏽‍❤‍💋‍👩🏼 👩🏽‍❤️‍💋‍👩🏼
kiss_~ 💏~
kissing_cat 😽
kissing_face 😗
kissing_face_with_closed_eyes 😚
kissing_face_with_smiling_eyes 😙
kitchen_knife 🔪
kite 🪁
kiwi_fruit 🥝
knot 🪢
koala 🐨
lab_coat 🥼
label 🏷 🏷️
lacrosse 🥍
ladder 🪜
lady_beetle 🐞
landslide 🛘
laptop 💻
large_blue_diamond 🔷
large_orange_diamond 🔶
last_quarter_moon 🌗
last_quarter_moon_face 🌜
last_track_button ⏮ ⏮️
latin_cross ✝ ✝️
leaf_fluttering_in_wind 🍃
leafless_tree 🪾
leafy_green 🥬
ledger 📒
left-facing_fist 🤛
left-facing_fist_~ 🤛~
left-right_arrow ↔ ↔️
left_arrow ⬅ ⬅️
left_arrow_curving_right ↪ ↪️
left_luggage 🛅
left_speech_bubble 🗨 🗨️
leftwards_hand 🫲
leftwards_hand_~ 🫲~
leftwards_pushing_hand 🫷
leftwards_pushing_hand_~ 🫷~
leftwards_thumb_sign 🫹
leftwards_thumb_sign_~ 🫹~
leg 🦵
leg_~ 🦵~
lemon 🍋
leopard 🐆
level_slider 🎚 🎚️
light_blue_heart 🩵
light_bulb 💡
light_rail 🚈
light_skin_tone 🏻
lighthouse 🛙
lime 🍋‍🟩
link 🔗
linked_paperclips 🖇 🖇️
lion 🦁
lipstick 💄
litter_in_bin_sign 🚮
lizard 🦎
llama 🦙
lobster 🦞
locked 🔒
locked_with_key 🔐
locked_with_pen 🔏
locomotive 🚂
lollipop 🍭
long_drum 🪘
lotion_bottle 🧴
lotus 🪷
loudly_crying_face 😭
loudspeaker 📢
love-you_gesture 🤟
love-you_gesture_~ 🤟~
love_hotel 🏩
love_letter 💌
low_battery 🪫
luggage 🧳
lungs 🫁
lying_face 🤥
mage 🧙
mage_~ 🧙~
magic_wand 🪄
magnet 🧲
magnifying_glass_tilted_left 🔍
magnifying_glass_tilted_right 🔎
mahjong_red_dragon 🀄
male_sign ♂ ♂️
mammoth 🦣
man 👨
man_artist 👨‍🎨
man_artist_~ 👨~‍🎨
man_astronaut 👨‍🚀
man_astronaut_~ 👨~‍🚀
man_bald 👨‍🦲
man_beard 🧔‍♂ 🧔‍♂️
man_biking 🚴‍♂ 🚴‍♂️
man_biking_~ 🚴~‍♂ 🚴~‍♂️
man_blond_hair 👱‍♂ 👱‍♂️
man_bouncing_ball ⛹‍♂ ⛹‍♂️ ⛹️‍♂ ⛹️‍♂️
man_bouncing_ball_~ ⛹~‍♂ ⛹~‍♂️
man_bowing 🙇‍♂ 🙇‍♂️
man_bowing_~ 🙇~‍♂ 🙇~‍♂️
man_cartwheeling 🤸‍♂ 🤸‍♂️
man_cartwheeling_~ 🤸~‍♂ 🤸~‍♂️
man_climbing 🧗‍♂ 🧗‍♂️
man_climbing_~ 🧗~‍♂ 🧗~‍♂️
man_construction_worker 👷‍♂ 👷‍♂️
man_construction_worker_~ 👷~‍♂ 👷~‍♂️
man_cook 👨‍🍳
man_cook_~ 👨~‍🍳
man_curly_hair 👨‍🦱
man_dancing 🕺
man_dancing_~ 🕺~
man_detective 🕵‍♂ 🕵‍♂️ 🕵️‍♂ 🕵️‍♂️
man_detective_~ 🕵~‍♂ 🕵~‍♂️
man_elf 🧝‍♂ 🧝‍♂️
man_elf_~ 🧝~‍♂ 🧝~‍♂️
man_facepalming 🤦‍♂ 🤦‍♂️
man_facepalming_~ 🤦~‍♂ 🤦~‍♂️
man_factory_worker 👨‍🏭
man_factory_worker_~ 👨~‍🏭
man_fairy 🧚‍♂ 🧚‍♂️
man_fairy_~ 🧚~‍♂ 🧚~‍♂️
man_farmer 👨‍🌾
man_farmer_~ 👨~‍🌾
man_feeding_baby 👨‍🍼
man_feeding_baby_~ 👨~‍🍼
man_firefighter 👨‍🚒
man_firefighter_~ 👨~‍🚒
man_frowning 🙍‍♂ 🙍‍♂️
man_frowning_~ 🙍~‍♂ 🙍~‍♂️
man_genie 🧞‍♂ 🧞‍♂️
man_gesturing_NO 🙅‍♂ 🙅‍♂️
man_gesturing_NO_~ 🙅~‍♂ 🙅~‍♂️
man_gesturing_OK 🙆‍♂ 🙆‍♂️
man_gesturing_OK_~ 🙆~‍♂ 🙆~‍♂️
man_getting_haircut 💇‍♂ 💇‍♂️
man_getting_haircut_~ 💇~‍♂ 💇~‍♂️
man_getting_massage 💆‍♂ 💆‍♂️
man_getting_massage_~ 💆~‍♂ 💆~‍♂️
man_golfing 🏌‍♂ 🏌‍♂️ 🏌️‍♂ 🏌️‍♂️
man_golfing_~ 🏌~‍♂ 🏌~‍♂️
man_guard 💂‍♂ 💂‍♂️
man_guard_~ 💂~‍♂ 💂~‍♂️
man_health_worker 👨‍⚕ 👨‍⚕️
man_health_worker_~ 👨~‍⚕ 👨~‍⚕️
man_in_lotus_position 🧘‍♂ 🧘‍♂️
man_in_lotus_position_~ 🧘~‍♂ 🧘~‍♂️
man_in_manual_wheelchair 👨‍🦽
man_in_manual_wheelchair_facing_right 👨‍🦽‍➡ 👨‍🦽‍➡️
man_in_manual_wheelchair_facing_right_~ 👨~‍🦽‍➡ 👨~‍🦽‍➡️
man_in_manual_wheelchair_~ 👨~‍🦽
man_in_motorized_wheelchair 👨‍🦼
man_in_motorized_wheelchair_facing_right 👨‍🦼‍➡ 👨‍🦼‍➡️
man_in_motorized_wheelchair_facing_right_~ 👨~‍🦼‍➡ 👨~‍🦼‍➡️
man_in_motorized_wheelchair_~ 👨~‍🦼
man_in_steamy_room 🧖‍♂ 🧖‍♂️
man_in_steamy_room_~ 🧖~‍♂ 🧖~‍♂️
man_in_tuxedo 🤵‍♂ 🤵‍♂️
man_in_tuxedo_~ 🤵~‍♂ 🤵~‍♂️
man_judge 👨‍⚖ 👨‍⚖️
man_judge_~ 👨~‍⚖ 👨~‍⚖️
man_juggling 🤹‍♂ 🤹‍♂️
man_juggling_~ 🤹~‍♂ 🤹~‍♂️
man_kneeling 🧎‍♂ 🧎‍♂️
man_kneeling_facing_right 🧎‍♂‍➡ 🧎‍♂‍➡️ 🧎‍♂️‍➡ 🧎‍♂️‍➡️
man_kneeling_facing_right_~ 🧎~‍♂‍➡ 🧎~‍♂‍➡️ 🧎~‍♂️‍➡ 🧎~‍♂️‍➡️
man_kneeling_~ 🧎~‍♂ 🧎~‍♂️
man_lifting_weights 🏋‍♂ 🏋‍♂️ 🏋️‍♂ 🏋️‍♂️
man_lifting_weights_~ 🏋~‍♂ 🏋~‍♂️
man_mage 🧙‍♂ 🧙‍♂️
man_mage_~ 🧙~‍♂ 🧙~‍♂️
man_mechanic 👨‍🔧
man_mechanic_~ 👨~‍🔧
man_mountain_biking 🚵‍♂ 🚵‍♂️
man_mountain_biking_~ 🚵~‍♂ 🚵~‍♂️
man_office_worker 👨‍💼
man_office_worker_~ 👨~‍💼
man_pilot 👨‍✈ 👨‍✈️
man_pilot_~ 👨~‍✈ 👨~‍✈️
man_playing_handball 🤾‍♂ 🤾‍♂️
man_playing_handball_~ 🤾~‍♂ 🤾~‍♂️
man_playing_water_polo 🤽‍♂ 🤽‍♂️
man_playing_water_polo_~ 🤽~‍♂ 🤽~‍♂️
man_police_officer 👮‍♂ 👮‍♂️
man_police_officer_~ 👮~‍♂ 👮~‍♂️
man_pouting 🙎‍♂ 🙎‍♂️
man_pouting_~ 🙎~‍♂ 🙎~‍♂️
man_raising_hand 🙋‍♂ 🙋‍♂️
man_raising_hand_~ 🙋~‍♂ 🙋~‍♂️
man_red_hair 👨‍🦰
man_rowing_boat 🚣‍♂ 🚣‍♂️
man_rowing_boat_~ 🚣~‍♂ 🚣~‍♂️
man_running 🏃‍♂ 🏃‍♂️
man_running_facing_right 🏃‍♂‍➡ 🏃‍♂‍➡️ 🏃‍♂️‍➡ 🏃‍♂️‍➡️
man_running_facing_right_~ 🏃~‍♂‍➡ 🏃~‍♂‍➡️ 🏃~‍♂️‍➡ 🏃~‍♂️‍➡️
man_running_~ 🏃~‍♂ 🏃~‍♂️
man_scientist 👨‍🔬
man_scientist_~ 👨~‍🔬
man_shrugging 🤷‍♂ 🤷‍♂️
man_shrugging_~ 🤷~‍♂ 🤷~‍♂️
man_singer 👨‍🎤
man_singer_~ 👨~‍🎤
man_standing 🧍‍♂ 🧍‍♂️
man_standing_~ 🧍~‍♂ 🧍~‍♂️
man_student 👨‍🎓
man_student_~ 👨~‍🎓
man_superhero 🦸‍♂ 🦸‍♂️
man_superhero_~ 🦸~‍♂ 🦸~‍♂️
man_supervillain 🦹‍♂ 🦹‍♂️
man_supervillain_~ 🦹~‍♂ 🦹~‍♂️
man_surfing 🏄‍♂ 🏄‍♂️
man_surfing_~ 🏄~‍♂ 🏄~‍♂️
man_swimming 🏊‍♂ 🏊‍♂️
man_swimming_~ 🏊~‍♂ 🏊~‍♂️
man_teacher 👨‍🏫
man_teacher_~ 👨~‍🏫
man_technologist 👨‍💻
man_technologist_~ 👨~‍💻
man_tipping_hand 💁‍♂ 💁‍♂️
man_tipping_hand_~ 💁~‍♂ 💁~‍♂️
man_vampire 🧛‍♂ 🧛‍♂️
man_vampire_~ 🧛~‍♂ 🧛~‍♂️
man_walking 🚶‍♂ 🚶‍♂️
man_walking_facing_right 🚶‍♂‍➡ 🚶‍♂‍➡️ 🚶‍♂️‍➡ 🚶‍♂️‍➡️
man_walking_facing_right_~ 🚶~‍♂‍➡ 🚶~‍♂‍➡️ 🚶~‍♂️‍➡ 🚶~‍♂️‍➡️
man_walking_~ 🚶~‍♂ 🚶~‍♂️
man_wearing_turban 👳‍♂ 👳‍♂️
man_wearing_turban_~ 👳~‍♂ 👳~‍♂️
man_white_hair 👨‍🦳
man_with_veil 👰‍♂ 👰‍♂️
man_with_veil_~ 👰~‍♂ 👰~‍♂️
man_with_white_cane 👨‍🦯
man_with_white_cane_facing_right 👨‍🦯‍➡ 👨‍🦯‍➡️
man_with_white_cane_facing_right_~ 👨~‍🦯‍➡ 👨~‍🦯‍➡️
man_with_white_cane_~ 👨~‍🦯
man_zombie 🧟‍♂ 🧟‍♂️
man_~ 👨~
man_~_bald 👨~‍🦲
man_~_beard 🧔~‍♂ 🧔~‍♂️
man_~_blond_hair 👱~‍♂ 👱~‍♂️
man_~_curly_hair 👨~‍🦱
man_~_red_hair 👨~‍🦰
man_~_white_hair 👨~‍🦳
mango 🥭
mantelpiece_clock 🕰 🕰️
manual_wheelchair 🦽
man’s_shoe 👞
map_of_Japan 🗾
maple_leaf 🍁
maracas 🪇
martial_arts_uniform 🥋
mate 🧉
meat_on_bone 🍖
mechanic 🧑‍🔧
mechanic_~ 🧑~‍🔧
mechanical_arm 🦾
mechanical_leg 🦿
medical_symbol ⚕ ⚕️
medium-dark_skin_tone 🏾
medium-light_skin_tone 🏼
medium_skin_tone 🏽
megaphone 📣
melon 🍈
melting_face 🫠
memo 📝
men_holding_hands 👬
men_holding_hands_dark_skin_tone_light_skin_tone 👨🏿‍🤝‍👨🏻
men_holding_hands_dark_skin_tone_medium-dark_skin_tone 👨🏿‍🤝‍👨🏾
men_holding_hands_dark_skin_tone_medium-light_skin_tone 👨🏿‍🤝‍👨🏼
men_holding_hands_dark_skin_tone_medium_skin_tone 👨🏿‍🤝‍👨🏽
men_holding_hands_light_skin_tone_dark_skin_tone 👨🏻‍🤝‍👨🏿
men_holding_hands_light_skin_tone_medium-dark_skin_tone 👨🏻‍🤝‍👨🏾
men_holding_hands_light_skin_tone_medium-light_skin_tone 👨🏻‍🤝‍👨🏼
men_holding_hands_light_skin_tone_medium_skin_tone 👨🏻‍🤝‍👨🏽
men_holding_hands_medium-dark_skin_tone_dark_skin_tone 👨🏾‍🤝‍👨🏿
men_holding_hands_medium-dark_skin_tone_light_skin_tone 👨🏾‍🤝‍👨🏻
men_holding_hands_medium-dark_skin_tone_medium-light_skin_tone 👨🏾‍🤝‍👨🏼
men_holding_hands_medium-dark_skin_tone_medium_skin_tone 👨🏾‍🤝‍👨🏽
men_holding_hands_medium-light_skin_tone_dark_skin_tone 👨🏼‍🤝‍👨🏿
men_holding_hands_medium-light_skin_tone_light_skin_tone 👨🏼‍🤝‍👨🏻
men_holding_hands_medium-light_skin_tone_medium-dark_skin_tone 👨🏼‍🤝‍👨🏾
men_holding_hands_medium-light_skin_tone_medium_skin_tone 👨🏼‍🤝‍👨🏽
men_holding_hands_medium_skin_tone_dark_skin_tone 👨🏽‍🤝‍👨🏿
men_holding_hands_medium_skin_tone_light_skin_tone 👨🏽‍🤝‍👨🏻
men_holding_hands_medium_skin_tone_medium-dark_skin_tone 👨🏽‍🤝‍👨🏾
men_holding_hands_medium_skin_tone_medium-light_skin_tone 👨🏽‍🤝‍👨🏼
men_holding_hands_~ 👬~
men_with_bunny_ears 👯‍♂ 👯‍♂️
men_with_bunny_ears_dark_skin_tone_light_skin_tone 👨🏿‍🐰‍👨🏻
men_with_bunny_ears_dark_skin_tone_medium-dark_skin_tone 👨🏿‍🐰‍👨🏾
men_with_bunny_ears_dark_skin_tone_medium-light_skin_tone 👨🏿‍🐰‍👨🏼
men_with_bunny_ears_dark_skin_tone_medium_skin_tone 👨🏿‍🐰‍👨🏽
men_with_bunny_ears_light_skin_tone_dark_skin_tone 👨🏻‍🐰‍👨🏿
men_with_bunny_ears_light_skin_tone_medium-dark_skin_tone 👨🏻‍🐰‍👨🏾
men_with_bunny_ears_light_skin_tone_medium-light_skin_tone 👨🏻‍🐰‍👨🏼
men_with_bunny_ears_light_skin_tone_medium_skin_tone 👨🏻‍🐰‍👨🏽
men_with_bunny_ears_medium-dark_skin_tone_dark_skin_tone 👨🏾‍🐰‍👨🏿
men_with_bunny_ears_medium-dark_skin_tone_light_skin_tone 👨🏾‍🐰‍👨🏻
men_with_bunny_ears_medium-dark_skin_tone_medium-light_skin_tone 👨🏾‍🐰‍👨🏼
men_with_bunny_ears_medium-dark_skin_tone_medium_skin_tone 👨🏾‍🐰‍👨🏽
men_with_bunny_ears_medium-light_skin_tone_dark_skin_tone 👨🏼‍🐰‍👨🏿
men_with_bunny_ears_medium-light_skin_tone_light_skin_tone 👨🏼‍🐰‍👨🏻
men_with_bunny_ears_medium-light_skin_tone_medium-dark_skin_tone 👨🏼‍🐰‍👨🏾
men_with_bunny_ears_medium-light_skin_tone_medium_skin_tone 👨🏼‍🐰‍👨🏽
men_with_bunny_ears_medium_skin_tone_dark_skin_tone 👨🏽‍🐰‍👨🏿
men_with_bunny_ears_medium_skin_tone_light_skin_tone 👨🏽‍🐰‍👨🏻
men_with_bunny_ears_medium_skin_tone_medium-dark_skin_tone 👨🏽‍🐰‍👨🏾
men_with_bunny_ears_medium_skin_tone_medium-light_skin_tone 👨🏽‍🐰‍👨🏼
men_with_bunny_ears_~ 👯~‍♂ 👯~‍♂️
men_wrestling 🤼‍♂ 🤼‍♂️
men_wrestling_dark_skin_tone_light_skin_tone 👨🏿‍🫯‍👨🏻
men_wrestling_dark_skin_tone_medium-dark_skin_tone 👨🏿‍🫯‍👨🏾
men_wrestling_dark_skin_tone_medium-light_skin_tone 👨🏿‍🫯‍👨🏼
men_wrestling_dark_skin_tone_medium_skin_tone 👨🏿‍🫯‍👨🏽
men_wrestling_light_skin_tone_dark_skin_tone 👨🏻‍🫯‍👨🏿
men_wrestling_light_skin_tone_medium-dark_skin_tone 👨🏻‍🫯‍👨🏾
men_wrestling_light_skin_tone_medium-light_skin_tone 👨🏻‍🫯‍👨🏼
men_wrestling_light_skin_tone_medium_skin_tone 👨🏻‍🫯‍👨🏽
men_wrestling_medium-dark_skin_tone_dark_skin_tone 👨🏾‍🫯‍👨🏿
men_wrestling_medium-dark_skin_tone_light_skin_tone 👨🏾‍🫯‍👨🏻
men_wrestling_medium-dark_skin_tone_medium-light_skin_tone 👨🏾‍🫯‍👨🏼
men_wrestling_medium-dark_skin_tone_medium_skin_tone 👨🏾‍🫯‍👨🏽
men_wrestling_medium-light_skin_tone_dark_skin_tone 👨🏼‍🫯‍👨🏿
men_wrestling_medium-light_skin_tone_light_skin_tone 👨🏼‍🫯‍👨🏻
men_wrestling_medium-light_skin_tone_medium-dark_skin_tone 👨🏼‍🫯‍👨🏾
men_wrestling_medium-light_skin_tone_medium_skin_tone 👨🏼‍🫯‍👨🏽
men_wrestling_medium_skin_tone_dark_skin_tone 👨🏽‍🫯‍👨🏿
men_wrestling_medium_skin_tone_light_skin_tone 👨🏽‍🫯‍👨🏻
men_wrestling_medium_skin_tone_medium-dark_skin_tone 👨🏽‍🫯‍👨🏾
men_wrestling_medium_skin_tone_medium-light_skin_tone 👨🏽‍🫯‍👨🏼
men_wrestling_~ 🤼~‍♂ 🤼~‍♂️
mending_heart ❤‍🩹 ❤️‍🩹
menorah 🕎
men’s_room 🚹
mermaid 🧜‍♀ 🧜‍♀️
mermaid_~ 🧜~‍♀ 🧜~‍♀️
merman 🧜‍♂ 🧜‍♂️
merman_~ 🧜~‍♂ 🧜~‍♂️
merperson 🧜
merperson_~ 🧜~
meteor 🪋
metro 🚇
microbe 🦠
microphone 🎤
microscope 🔬
middle_finger 🖕
middle_finger_~ 🖕~
military_helmet 🪖
military_medal 🎖 🎖️
milky_way 🌌
minibus 🚐
minus ➖
mirror 🪞
mirror_ball 🪩
moai 🗿
mobile_phone 📱
mobile_phone_off 📴
mobile_phone_with_arrow 📲
monarch_butterfly 🫌
money-mouth_face 🤑
money_bag 💰
money_with_wings 💸
monkey 🐒
monkey_face 🐵
monorail 🚝
moon_cake 🥮
moon_viewing_ceremony 🎑
moose 🫎
mosque 🕌
mosquito 🦟
motor_boat 🛥 🛥️
motor_scooter 🛵
motorcycle 🏍 🏍️
motorized_wheelchair 🦼
motorway 🛣 🛣️
mount_fuji 🗻
mountain ⛰ ⛰️
mountain_cableway 🚠
mountain_railway 🚞
mouse 🐁
mouse_face 🐭
mouse_trap 🪤
mouth 👄
movie_camera 🎥
multiply ✖ ✖️
mushroom 🍄
musical_keyboard 🎹
musical_note 🎵
musical_notes 🎶
musical_score 🎼
muted_speaker 🔇
nail_polish 💅
nail_polish_~ 💅~
name_badge 📛
national_park 🏞 🏞️
nauseated_face 🤢
nazar_amulet 🧿
necktie 👔
nerd_face 🤓
nest_with_eggs 🪺
nesting_dolls 🪆
net_with_handle 🪍
neutral_face 😐
new_moon 🌑
new_moon_face 🌚
newspaper 📰
next_track_button ⏭ ⏭️
night_with_stars 🌃
nine-thirty 🕤
nine_o’clock 🕘
ninja 🥷
ninja_~ 🥷~
no_bicycles 🚳
no_entry ⛔
no_littering 🚯
no_mobile_phones 📵
no_one_under_eighteen 🔞
no_pedestrians 🚷
no_smoking 🚭
non-potable_water 🚱
nose 👃
nose_~ 👃~
notebook 📓
notebook_with_decorative_cover 📔
nut_and_bolt 🔩
octopus 🐙
oden 🍢
office_building 🏢
office_worker 🧑‍💼
office_worker_~ 🧑~‍💼
ogre 👹
oil_drum 🛢 🛢️
old_key 🗝 🗝️
old_man 👴
old_man_~ 👴~
old_woman 👵
old_woman_~ 👵~
older_person 🧓
older_person_~ 🧓~
olive 🫒
om 🕉 🕉️
oncoming_automobile 🚘
oncoming_bus 🚍
oncoming_fist 👊
oncoming_fist_~ 👊~
oncoming_police_car 🚔
oncoming_taxi 🚖
one-piece_swimsuit 🩱
one-thirty 🕜
one_o’clock 🕐
onion 🧅
open_book 📖
open_file_folder 📂
open_hands 👐
open_hands_~ 👐~
open_mailbox_with_lowered_flag 📭
open_mailbox_with_raised_flag 📬
optical_disk 💿
orange_book 📙
orange_circle 🟠
orange_heart 🧡
orange_square 🟧
orangutan 🦧
orca 🫍
orthodox_cross ☦ ☦️
otter 🦦
outbox_tray 📤
owl 🦉
ox 🐂
oyster 🦪
package 📦
page_facing_up 📄
page_with_curl 📃
pager 📟
paintbrush 🖌 🖌️
palm_down_hand 🫳
palm_down_hand_~ 🫳~
palm_tree 🌴
palm_up_hand 🫴
palm_up_hand_~ 🫴~
palms_up_together 🤲
palms_up_together_~ 🤲~
pancakes 🥞
panda 🐼
paperclip 📎
parachute 🪂
parrot 🦜
part_alternation_mark 〽 〽️
party_popper 🎉
partying_face 🥳
passenger_ship 🛳 🛳️
passport_control 🛂
pause_button ⏸ ⏸️
paw_prints 🐾
pea_pod 🫛
peace_symbol ☮ ☮️
peach 🍑
peacock 🦚
peanuts 🥜
pear 🍐
pen 🖊 🖊️
pencil ✏ ✏️
penguin 🐧
pensive_face 😔
people_holding_hands 🧑‍🤝‍🧑
people_holding_hands_dark_skin_tone 🧑🏿‍🤝‍🧑🏿
people_holding_hands_dark_skin_tone_light_skin_tone 🧑🏿‍🤝‍🧑🏻
people_holding_hands_dark_skin_tone_medium-dark_skin_tone 🧑🏿‍🤝‍🧑🏾
people_holding_hands_dark_skin_tone_medium-light_skin_tone 🧑🏿‍🤝‍🧑🏼
people_holding_hands_dark_skin_tone_medium_skin_tone 🧑🏿‍🤝‍🧑🏽
people_holding_hands_light_skin_tone 🧑🏻‍🤝‍🧑🏻
people_holding_hands_light_skin_tone_dark_skin_tone 🧑🏻‍🤝‍🧑🏿
people_holding_hands_light_skin_tone_medium-dark_skin_tone 🧑🏻‍🤝‍🧑🏾
people_holding_hands_light_skin_tone_medium-light_skin_tone 🧑🏻‍🤝‍🧑🏼
people_holding_hands_light_skin_tone_medium_skin_tone 🧑🏻‍🤝‍🧑🏽
people_holding_hands_medium-dark_skin_tone 🧑🏾‍🤝‍🧑🏾
people_holding_hands_medium-dark_skin_tone_dark_skin_tone 🧑🏾‍🤝‍🧑🏿
people_holding_hands_medium-dark_skin_tone_light_skin_tone 🧑🏾‍🤝‍🧑🏻
people_holding_hands_medium-dark_skin_tone_medium-light_skin_tone 🧑🏾‍🤝‍🧑🏼
people_holding_hands_medium-dark_skin_tone_medium_skin_tone 🧑🏾‍🤝‍🧑🏽
people_holding_hands_medium-light_skin_tone 🧑🏼‍🤝‍🧑🏼
people_holding_hands_medium-light_skin_tone_dark_skin_tone 🧑🏼‍🤝‍🧑🏿
people_holding_hands_medium-light_skin_tone_light_skin_tone 🧑🏼‍🤝‍🧑🏻
people_holding_hands_medium-light_skin_tone_medium-dark_skin_tone 🧑🏼‍🤝‍🧑🏾
people_holding_hands_medium-light_skin_tone_medium_skin_tone 🧑🏼‍🤝‍🧑🏽
people_holding_hands_medium_skin_tone 🧑🏽‍🤝‍🧑🏽
people_holding_hands_medium_skin_tone_dark_skin_tone 🧑🏽‍🤝‍🧑🏿
people_holding_hands_medium_skin_tone_light_skin_tone 🧑🏽‍🤝‍🧑🏻
people_holding_hands_medium_skin_tone_medium-dark_skin_tone 🧑🏽‍🤝‍🧑🏾
people_holding_hands_medium_skin_tone_medium-light_skin_tone 🧑🏽‍🤝‍🧑🏼
people_hugging 🫂
people_with_bunny_ears 👯
people_with_bunny_ears_dark_skin_tone_light_skin_tone 🧑🏿‍🐰‍🧑🏻
people_with_bunny_ears_dark_skin_tone_medium-dark_skin_tone 🧑🏿‍🐰‍🧑🏾
people_with_bunny_ears_dark_skin_tone_medium-light_skin_tone 🧑🏿‍🐰‍🧑🏼
people_with_bunny_ears_dark_skin_tone_medium_skin_tone 🧑🏿‍🐰‍🧑🏽
people_with_bunny_ears_light_skin_tone_dark_skin_tone 🧑🏻‍🐰‍🧑🏿
people_with_bunny_ears_light_skin_tone_medium-dark_skin_tone 🧑🏻‍🐰‍🧑🏾
people_with_bunny_ears_light_skin_tone_medium-light_skin_tone 🧑🏻‍🐰‍🧑🏼
people_with_bunny_ears_light_skin_tone_medium_skin_tone 🧑🏻‍🐰‍🧑🏽
people_with_bunny_ears_medium-dark_skin_tone_dark_skin_tone 🧑🏾‍🐰‍🧑🏿
people_with_bunny_ears_medium-dark_skin_tone_light_skin_tone 🧑🏾‍🐰‍🧑🏻
people_with_bunny_ears_medium-dark_skin_tone_medium-light_skin_tone 🧑🏾‍🐰‍🧑🏼
people_with_bunny_ears_medium-dark_skin_tone_medium_skin_tone 🧑🏾‍🐰‍🧑🏽
people_with_bunny_ears_medium-light_skin_tone_dark_skin_tone 🧑🏼‍🐰‍🧑🏿
people_with_bunny_ears_medium-light_skin_tone_light_skin_tone 🧑🏼‍🐰‍🧑🏻
people_with_bunny_ears_medium-light_skin_tone_medium-dark_skin_tone 🧑🏼‍🐰‍🧑🏾
people_with_bunny_ears_medium-light_skin_tone_medium_skin_tone 🧑🏼‍🐰‍🧑🏽
people_with_bunny_ears_medium_skin_tone_dark_skin_tone 🧑🏽‍🐰‍🧑🏿
people_with_bunny_ears_medium_skin_tone_light_skin_tone 🧑🏽‍🐰‍🧑🏻
people_with_bunny_ears_medium_skin_tone_medium-dark_skin_tone 🧑🏽‍🐰‍🧑🏾
people_with_bunny_ears_medium_skin_tone_medium-light_skin_tone 🧑🏽‍🐰‍🧑🏼
people_with_bunny_ears_~ 👯~
people_wrestling 🤼
people_wrestling_dark_skin_tone_light_skin_tone 🧑🏿‍🫯‍🧑🏻
people_wrestling_dark_skin_tone_medium-dark_skin_tone 🧑🏿‍🫯‍🧑🏾
people_wrestling_dark_skin_tone_medium-light_skin_tone 🧑🏿‍🫯‍🧑🏼
people_wrestling_dark_skin_tone_medium_skin_tone 🧑🏿‍🫯‍🧑🏽
people_wrestling_light_skin_tone_dark_skin_tone 🧑🏻‍🫯‍🧑🏿
people_wrestling_light_skin_tone_medium-dark_skin_tone 🧑🏻‍🫯‍🧑🏾
people_wrestling_light_skin_tone_medium-light_skin_tone 🧑🏻‍🫯‍🧑🏼
people_wrestling_light_skin_tone_medium_skin_tone 🧑🏻‍🫯‍🧑🏽
people_wrestling_medium-dark_skin_tone_dark_skin_tone 🧑🏾‍🫯‍🧑🏿
people_wrestling_medium-dark_skin_tone_light_skin_tone 🧑🏾‍🫯‍🧑🏻
people_wrestling_medium-dark_skin_tone_medium-light_skin_tone 🧑🏾‍🫯‍🧑🏼
people_wrestling_medium-dark_skin_tone_medium_skin_tone 🧑🏾‍🫯‍🧑🏽
people_wrestling_medium-light_skin_tone_dark_skin_tone 🧑🏼‍🫯‍🧑🏿
people_wrestling_medium-light_skin_tone_light_skin_tone 🧑🏼‍🫯‍🧑🏻
people_wrestling_medium-light_skin_tone_medium-dark_skin_tone 🧑🏼‍🫯‍🧑🏾
people_wrestling_medium-light_skin_tone_medium_skin_tone 🧑🏼‍🫯‍🧑🏽
people_wrestling_medium_skin_tone_dark_skin_tone 🧑🏽‍🫯‍🧑🏿
people_wrestling_medium_skin_tone_light_skin_tone 🧑🏽‍🫯‍🧑🏻
people_wrestling_medium_skin_tone_medium-dark_skin_tone 🧑🏽‍🫯‍🧑🏾
people_wrestling_medium_skin_tone_medium-light_skin_tone 🧑🏽‍🫯‍🧑🏼
people_wrestling_~ 🤼~
performing_arts 🎭
persevering_face 😣
person 🧑
person_bald 🧑‍🦲
person_beard 🧔
person_biking 🚴
person_biking_~ 🚴~
person_blond_hair 👱
person_bouncing_ball ⛹ ⛹️
person_bouncing_ball_~ ⛹~
person_bowing 🙇
person_bowing_~ 🙇~
person_cartwheeling 🤸
person_cartwheeling_~ 🤸~
person_climbing 🧗
person_climbing_~ 🧗~
person_curly_hair 🧑‍🦱
person_facepalming 🤦
person_facepalming_~ 🤦~
person_feeding_baby 🧑‍🍼
person_feeding_baby_~ 🧑~‍🍼
person_fencing 🤺
person_frowning 🙍
person_frowning_~ 🙍~
person_gesturing_NO 🙅
person_gesturing_NO_~ 🙅~
person_gesturing_OK 🙆
person_gesturing_OK_~ 🙆~
person_getting_haircut 💇
person_getting_haircut_~ 💇~
person_getting_massage 💆
person_getting_massage_~ 💆~
person_golfing 🏌 🏌️
person_golfing_~ 🏌~
person_in_bed 🛌
person_in_bed_~ 🛌~
person_in_lotus_position 🧘
person_in_lotus_position_~ 🧘~
person_in_manual_wheelchair 🧑‍🦽
person_in_manual_wheelchair_facing_right 🧑‍🦽‍➡ 🧑‍🦽‍➡️
person_in_manual_wheelchair_facing_right_~ 🧑~‍🦽‍➡ 🧑~‍🦽‍➡️
person_in_manual_wheelchair_~ 🧑~‍🦽
person_in_motorized_wheelchair 🧑‍🦼
person_in_motorized_wheelchair_facing_right 🧑‍🦼‍➡ 🧑‍🦼‍➡️
person_in_motorized_wheelchair_facing_right_~ 🧑~‍🦼‍➡ 🧑~‍🦼‍➡️
person_in_motorized_wheelchair_~ 🧑~‍🦼
person_in_steamy_room 🧖
person_in_steamy_room_~ 🧖~
person_in_suit_levitating 🕴 🕴️
person_in_suit_levitating_~ 🕴~
person_in_tuxedo 🤵
person_in_tuxedo_~ 🤵~
person_juggling 🤹
person_juggling_~ 🤹~
person_kneeling 🧎
person_kneeling_facing_right 🧎‍➡ 🧎‍➡️
person_kneeling_facing_right_~ 🧎~‍➡ 🧎~‍➡️
person_kneeling_~ 🧎~
person_lifting_weights 🏋 🏋️
person_lifting_weights_~ 🏋~
person_mountain_biking 🚵
person_mountain_biking_~ 🚵~
person_playing_handball 🤾
person_playing_handball_~ 🤾~
person_playing_water_polo 🤽
person_playing_water_polo_~ 🤽~
person_pouting 🙎
person_pouting_~ 🙎~
person_raising_hand 🙋
person_raising_hand_~ 🙋~
person_red_hair 🧑‍🦰
person_rowing_boat 🚣
person_rowing_boat_~ 🚣~
person_running 🏃
person_running_facing_right 🏃‍➡ 🏃‍➡️
person_running_facing_right_~ 🏃~‍➡ 🏃~‍➡️
person_running_~ 🏃~
person_shrugging 🤷
person_shrugging_~ 🤷~
person_standing 🧍
person_standing_~ 🧍~
person_surfing 🏄
person_surfing_~ 🏄~
person_swimming 🏊
person_swimming_~ 🏊~
person_taking_bath 🛀
person_taking_bath_~ 🛀~
person_tipping_hand 💁
person_tipping_hand_~ 💁~
person_walking 🚶
person_walking_facing_right 🚶‍➡ 🚶‍➡️
person_walking_facing_right_~ 🚶~‍➡ 🚶~‍➡️
person_walking_~ 🚶~
person_wearing_turban 👳
person_wearing_turban_~ 👳~
person_white_hair 🧑‍🦳
person_with_crown 🫅
person_with_crown_~ 🫅~
person_with_skullcap 👲
person_with_skullcap_~ 👲~
person_with_veil 👰
person_with_veil_~ 👰~
person_with_white_cane 🧑‍🦯
person_with_white_cane_facing_right 🧑‍🦯‍➡ 🧑‍🦯‍➡️
person_with_white_cane_facing_right_~ 🧑~‍🦯‍➡ 🧑~‍🦯‍➡️
person_with_white_cane_~ 🧑~‍🦯
person_~ 🧑~
person_~_bald 🧑~‍🦲
person_~_beard 🧔~
person_~_blond_hair 👱~
person_~_curly_hair 🧑~‍🦱
person_~_red_hair 🧑~‍🦰
person_~_white_hair 🧑~‍🦳
petri_dish 🧫
phoenix 🐦‍🔥
pick ⛏ ⛏️
pickle 🫝
pickup_truck 🛻
pie 🥧
pig 🐖
pig_face 🐷
pig_nose 🐽
pile_of_poo 💩
pill 💊
pilot 🧑‍✈ 🧑‍✈️
pilot_~ 🧑~‍✈ 🧑~‍✈️
pinched_fingers 🤌
pinched_fingers_~ 🤌~
pinching_hand 🤏
pinching_hand_~ 🤏~
pine_decoration 🎍
pineapple 🍍
ping_pong 🏓
pink_heart 🩷
pirate_flag 🏴‍☠ 🏴‍☠️
pizza 🍕
piñata 🪅
placard 🪧
place_of_worship 🛐
play_button ▶ ▶️
play_or_pause_button ⏯ ⏯️
playground_slide 🛝
pleading_face 🥺
plunger 🪠
plus ➕
polar_bear 🐻‍❄ 🐻‍❄️
police_car 🚓
police_car_light 🚨
police_officer 👮
police_officer_~ 👮~
poodle 🐩
pool_8_ball 🎱
popcorn 🍿
post_office 🏤
postal_horn 📯
postbox 📮
pot_of_food 🍲
potable_water 🚰
potato 🥔
potted_plant 🪴
poultry_leg 🍗
pound_banknote 💷
pouring_liquid 🫗
pouting_cat 😾
prayer_beads 📿
pregnant_man 🫃
pregnant_man_~ 🫃~
pregnant_person 🫄
pregnant_person_~ 🫄~
pregnant_woman 🤰
pregnant_woman_~ 🤰~
pretzel 🥨
prince 🤴
prince_~ 🤴~
princess 👸
princess_~ 👸~
printer 🖨 🖨️
prohibited 🚫
purple_circle 🟣
purple_heart 💜
purple_square 🟪
purse 👛
pushpin 📌
puzzle_piece 🧩
rabbit 🐇
rabbit_face 🐰
raccoon 🦝
racing_car 🏎 🏎️
radio 📻
radio_button 🔘
radioactive ☢ ☢️
railway_car 🚃
railway_track 🛤 🛤️
rainbow 🌈
rainbow_flag 🏳‍🌈 🏳️‍🌈
raised_back_of_hand 🤚
raised_back_of_hand_~ 🤚~
raised_fist ✊
raised_fist_~ ✊~
raised_hand ✋
raised_hand_~ ✋~
raising_hands 🙌
raising_hands_~ 🙌~
ram 🐏
rat 🐀
razor 🪒
receipt 🧾
record_button ⏺ ⏺️
recycling_symbol ♻ ♻️
red_apple 🍎
red_circle 🔴
red_envelope 🧧
red_exclamation_mark ❗
red_hair 🦰
red_heart ❤ ❤️
red_paper_lantern 🏮
red_question_mark ❓
red_square 🟥
red_triangle_pointed_down 🔻
red_triangle_pointed_up 🔺
registered ® ®️
relieved_face 😌
reminder_ribbon 🎗 🎗️
repeat_button 🔁
repeat_single_button 🔂
rescue_worker’s_helmet ⛑ ⛑️
restroom 🚻
reverse_button ◀ ◀️
revolving_hearts 💞
rhinoceros 🦏
ribbon 🎀
rice_ball 🍙
rice_cracker 🍘
right-facing_fist 🤜
right-facing_fist_~ 🤜~
right_anger_bubble 🗯 🗯️
right_arrow ➡ ➡️
right_arrow_curving_down ⤵ ⤵️
right_arrow_curving_left ↩ ↩️
right_arrow_curving_up ⤴ ⤴️
rightwards_hand 🫱
rightwards_hand_~ 🫱~
rightwards_pushing_hand 🫸
rightwards_pushing_hand_~ 🫸~
rightwards_thumb_sign 🫺
rightwards_thumb_sign_~ 🫺~
ring 💍
ring_buoy 🛟
ringed_planet 🪐
roasted_sweet_potato 🍠
robot 🤖
rock 🪨
rocket 🚀
roll_of_paper 🧻
rolled-up_newspaper 🗞 🗞️
roller_coaster 🎢
roller_skate 🛼
rolling_on_the_floor_laughing 🤣
rooster 🐓
root_vegetable 🫜
rose 🌹
rosette 🏵 🏵️
round_pushpin 📍
rugby_football 🏉
running_shirt 🎽
running_shoe 👟
sad_but_relieved_face 😥
safety_pin 🧷
safety_vest 🦺
sailboat ⛵
sake 🍶
salt 🧂
saluting_face 🫡
sandwich 🥪
sari 🥻
satellite 🛰 🛰️
satellite_antenna 📡
sauropod 🦕
saxophone 🎷
scarf 🧣
school 🏫
scientist 🧑‍🔬
scientist_~ 🧑~‍🔬
scissors ✂ ✂️
scorpion 🦂
screwdriver 🪛
scroll 📜
seal 🦭
seat 💺
see-no-evil_monkey 🙈
seedling 🌱
selfie 🤳
selfie_~ 🤳~
service_dog 🐕‍🦺
seven-thirty 🕢
seven_o’clock 🕖
sewing_needle 🪡
shaking_face 🫨
shallow_pan_of_food 🥘
shamrock ☘ ☘️
shark 🦈
shaved_ice 🍧
sheaf_of_rice 🌾
shield 🛡 🛡️
shinto_shrine ⛩ ⛩️
ship 🚢
shooting_star 🌠
shopping_bags 🛍 🛍️
shopping_cart 🛒
shortcake 🍰
shorts 🩳
shovel 🪏
shower 🚿
shrimp 🦐
shuffle_tracks_button 🔀
shushing_face 🤫
sign_of_the_horns 🤘
sign_of_the_horns_~ 🤘~
singer 🧑‍🎤
singer_~ 🧑~‍🎤
six-thirty 🕡
six_o’clock 🕕
skateboard 🛹
skier ⛷ ⛷️
skis 🎿
skull 💀
skull_and_crossbones ☠ ☠️
skunk 🦨
sled 🛷
sleeping_face 😴
sleepy_face 😪
slightly_frowning_face 🙁
slightly_smiling_face 🙂
slot_machine 🎰
sloth 🦥
small_airplane 🛩 🛩️
small_blue_diamond 🔹
small_orange_diamond 🔸
smiling_cat_with_heart-eyes 😻
smiling_face ☺ ☺️
smiling_face_with_halo 😇
smiling_face_with_heart-eyes 😍
smiling_face_with_hearts 🥰
smiling_face_with_horns 😈
smiling_face_with_open_hands 🤗
smiling_face_with_smiling_eyes 😊
smiling_face_with_sunglasses 😎
smiling_face_with_tear 🥲
smirking_face 😏
snail 🐌
snake 🐍
sneezing_face 🤧
snow-capped_mountain 🏔 🏔️
snowboarder 🏂
snowboarder_~ 🏂~
snowflake ❄ ❄️
snowman ☃ ☃️
snowman_without_snow ⛄
soap 🧼
soccer_ball ⚽
socks 🧦
soft_ice_cream 🍦
softball 🥎
spade_suit ♠ ♠️
spaghetti 🍝
sparkle ❇ ❇️
sparkler 🎇
sparkles ✨
sparkling_heart 💖
speak-no-evil_monkey 🙊
speaker_high_volume 🔊
speaker_low_volume 🔈
speaker_medium_volume 🔉
speaking_head 🗣 🗣️
speech_balloon 💬
speedboat 🚤
spider 🕷 🕷️
spider_web 🕸 🕸️
spiral_calendar 🗓 🗓️
spiral_notepad 🗒 🗒️
spiral_shell 🐚
splatter 🫟
sponge 🧽
spoon 🥄
sport_utility_vehicle 🚙
sports_medal 🏅
spouting_whale 🐳
squid 🦑
squinting_face_with_tongue 😝
stadium 🏟 🏟️
star ⭐
star-struck 🤩
star_and_crescent ☪ ☪️
star_of_David ✡ ✡️
station 🚉
steaming_bowl 🍜
stethoscope 🩺
stop_button ⏹ ⏹️
stop_sign 🛑
stopwatch ⏱ ⏱️
straight_ruler 📏
strawberry 🍓
student 🧑‍🎓
student_~ 🧑~‍🎓
studio_microphone 🎙 🎙️
stuffed_flatbread 🥙
sun ☀ ☀️
sun_behind_cloud ⛅
sun_behind_large_cloud 🌥 🌥️
sun_behind_rain_cloud 🌦 🌦️
sun_behind_small_cloud 🌤 🌤️
sun_with_face 🌞
sunflower 🌻
sunglasses 🕶 🕶️
sunrise 🌅
sunrise_over_mountains 🌄
sunset 🌇
superhero 🦸
superhero_~ 🦸~
supervillain 🦹
supervillain_~ 🦹~
sushi 🍣
suspension_railway 🚟
swan 🦢
sweat_droplets 💦
synagogue 🕍
syringe 💉
t-shirt 👕
taco 🌮
takeout_box 🥡
tamale 🫔
tanabata_tree 🎋
tangerine 🍊
taxi 🚕
teacher 🧑‍🏫
teacher_~ 🧑~‍🏫
teacup_without_handle 🍵
teapot 🫖
tear-off_calendar 📆
technologist 🧑‍💻
technologist_~ 🧑~‍💻
teddy_bear 🧸
telephone ☎ ☎️
telephone_receiver 📞
telescope 🔭
television 📺
ten-thirty 🕥
ten_o’clock 🕙
tennis 🎾
tent ⛺
test_tube 🧪
thermometer 🌡 🌡️
thinking_face 🤔
thong_sandal 🩴
thought_balloon 💭
thread 🧵
three-thirty 🕞
three_o’clock 🕒
thumbs_down 👎
thumbs_down_~ 👎~
thumbs_up 👍
thumbs_up_~ 👍~
ticket 🎫
tiger 🐅
tiger_face 🐯
timer_clock ⏲ ⏲️
tired_face 😫
toilet 🚽
tomato 🍅
tongue 👅
toolbox 🧰
tooth 🦷
toothbrush 🪥
top_hat 🎩
tornado 🌪 🌪️
trackball 🖲 🖲️
tractor 🚜
trade_mark ™ ™️
train 🚆
tram 🚊
tram_car 🚋
transgender_flag 🏳‍⚧ 🏳‍⚧️ 🏳️‍⚧ 🏳️‍⚧️
transgender_symbol ⚧ ⚧️
treasure_chest 🪎
triangular_flag 🚩
triangular_ruler 📐
trident_emblem 🔱
troll 🧌
trolleybus 🚎
trombone 🪊
trophy 🏆
tropical_drink 🍹
tropical_fish 🐠
trumpet 🎺
tulip 🌷
tumbler_glass 🥃
turkey 🦃
turtle 🐢
twelve-thirty 🕧
twelve_o’clock 🕛
two-hump_camel 🐫
two-thirty 🕝
two_hearts 💕
two_o’clock 🕑
umbrella ☂ ☂️
umbrella_on_ground ⛱ ⛱️
umbrella_with_rain_drops ☔
unamused_face 😒
unicorn 🦄
unlocked 🔓
up-down_arrow ↕ ↕️
up-left_arrow ↖ ↖️
up-right_arrow ↗ ↗️
up_arrow ⬆ ⬆️
upside-down_face 🙃
upwards_button 🔼
vampire 🧛
vampire_~ 🧛~
vertical_traffic_light 🚦
vibration_mode 📳
victory_hand ✌ ✌️
victory_hand_~ ✌~
video_camera 📹
video_game 🎮
videocassette 📼
violin 🎻
volcano 🌋
volleyball 🏐
vulcan_salute 🖖
vulcan_salute_~ 🖖~
waffle 🧇
waning_crescent_moon 🌘
waning_gibbous_moon 🌖
warning ⚠ ⚠️
wastebasket 🗑 🗑️
watch ⌚
water_buffalo 🐃
water_closet 🚾
water_pistol 🔫
water_wave 🌊
watermelon 🍉
waving_hand 👋
waving_hand_~ 👋~
wavy_dash 〰 〰️
waxing_crescent_moon 🌒
waxing_gibbous_moon 🌔
weary_cat 🙀
weary_face 😩
wedding 💒
whale 🐋
wheel 🛞
wheel_of_dharma ☸ ☸️
wheelchair_symbol ♿
white_cane 🦯
white_circle ⚪
white_exclamation_mark ❕
white_flag 🏳 🏳️
white_flower 💮
white_hair 🦳
white_heart 🤍
white_large_square ⬜
white_medium-small_square ◽
white_medium_square ◻ ◻️
white_question_mark ❔
white_small_square ▫ ▫️
white_square_button 🔳
wilted_flower 🥀
wind_chime 🎐
wind_face 🌬 🌬️
window 🪟
wine_glass 🍷
wing 🪽
winking_face 😉
winking_face_with_tongue 😜
wireless 🛜
wolf 🐺
woman 👩
woman_and_man_holding_hands 👫
woman_and_man_holding_hands_dark_skin_tone_light_skin_tone 👩🏿‍🤝‍👨🏻
woman_and_man_holding_hands_dark_skin_tone_medium-dark_skin_tone 👩🏿‍🤝‍👨🏾
woman_and_man_holding_hands_dark_skin_tone_medium-light_skin_tone 👩🏿‍🤝‍👨🏼
woman_and_man_holding_hands_dark_skin_tone_medium_skin_tone 👩🏿‍🤝‍👨🏽
woman_and_man_holding_hands_light_skin_tone_dark_skin_tone 👩🏻‍🤝‍👨🏿
woman_and_man_holding_hands_light_skin_tone_medium-dark_skin_tone 👩🏻‍🤝‍👨🏾
woman_and_man_holding_hands_light_skin_tone_medium-light_skin_tone 👩🏻‍🤝‍👨🏼
woman_and_man_holding_hands_light_skin_tone_medium_skin_tone 👩🏻‍🤝‍👨🏽
woman_and_man_holding_hands_medium-dark_skin_tone_dark_skin_tone 👩🏾‍🤝‍👨🏿
woman_and_man_holding_hands_medium-dark_skin_tone_light_skin_tone 👩🏾‍🤝‍👨🏻
woman_and_man_holding_hands_medium-dark_skin_tone_medium-light_skin_tone 👩🏾‍🤝‍👨🏼
woman_and_man_holding_hands_medium-dark_skin_tone_medium_skin_tone 👩🏾‍🤝‍👨🏽
woman_and_man_holding_hands_medium-light_skin_tone_dark_skin_tone 👩🏼‍🤝‍👨🏿
woman_and_man_holding_hands_medium-light_skin_tone_light_skin_tone 👩🏼‍🤝‍👨🏻
woman_and_man_holding_hands_medium-light_skin_tone_medium-dark_skin_tone 👩🏼‍🤝‍👨🏾
woman_and_man_holding_hands_medium-light_skin_tone_medium_skin_tone 👩🏼‍🤝‍👨🏽
woman_and_man_holding_hands_medium_skin_tone_dark_skin_tone 👩🏽‍🤝‍👨🏿
woman_and_man_holding_hands_medium_skin_tone_light_skin_tone 👩🏽‍🤝‍👨🏻
woman_and_man_holding_hands_medium_skin_tone_medium-dark_skin_tone 👩🏽‍🤝‍👨🏾
woman_and_man_holding_hands_medium_skin_tone_medium-light_skin_tone 👩🏽‍🤝‍👨🏼
woman_and_man_holding_hands_~ 👫~
woman_artist 👩‍🎨
woman_artist_~ 👩~‍🎨
woman_astronaut 👩‍🚀
woman_astronaut_~ 👩~‍🚀
woman_bald 👩‍🦲
woman_beard 🧔‍♀ 🧔‍♀️
woman_biking 🚴‍♀ 🚴‍♀️
woman_biking_~ 🚴~‍♀ 🚴~‍♀️
woman_blond_hair 👱‍♀ 👱‍♀️
woman_bouncing_ball ⛹‍♀ ⛹‍♀️ ⛹️‍♀ ⛹️‍♀️
woman_bouncing_ball_~ ⛹~‍♀ ⛹~‍♀️
woman_bowing 🙇‍♀ 🙇‍♀️
woman_bowing_~ 🙇~‍♀ 🙇~‍♀️
woman_cartwheeling 🤸‍♀ 🤸‍♀️
woman_cartwheeling_~ 🤸~‍♀ 🤸~‍♀️
woman_climbing 🧗‍♀ 🧗‍♀️
woman_climbing_~ 🧗~‍♀ 🧗~‍♀️
woman_construction_worker 👷‍♀ 👷‍♀️
woman_construction_worker_~ 👷~‍♀ 👷~‍♀️
woman_cook 👩‍🍳
woman_cook_~ 👩~‍🍳
woman_curly_hair 👩‍🦱
woman_dancing 💃
woman_dancing_~ 💃~
woman_detective 🕵‍♀ 🕵‍♀️ 🕵️‍♀ 🕵️‍♀️
woman_detective_~ 🕵~‍♀ 🕵~‍♀️
woman_elf 🧝‍♀ 🧝‍♀️
woman_elf_~ 🧝~‍♀ 🧝~‍♀️
woman_facepalming 🤦‍♀ 🤦‍♀️
woman_facepalming_~ 🤦~‍♀ 🤦~‍♀️
woman_factory_worker 👩‍🏭
woman_factory_worker_~ 👩~‍🏭
woman_fairy 🧚‍♀ 🧚‍♀️
woman_fairy_~ 🧚~‍♀ 🧚~‍♀️
woman_farmer 👩‍🌾
woman_farmer_~ 👩~‍🌾
woman_feeding_baby 👩‍🍼
woman_feeding_baby_~ 👩~‍🍼
woman_firefighter 👩‍🚒
woman_firefighter_~ 👩~‍🚒
woman_frowning 🙍‍♀ 🙍‍♀️
woman_frowning_~ 🙍~‍♀ 🙍~‍♀️
woman_genie 🧞‍♀ 🧞‍♀️
woman_gesturing_NO 🙅‍♀ 🙅‍♀️
woman_gesturing_NO_~ 🙅~‍♀ 🙅~‍♀️
woman_gesturing_OK 🙆‍♀ 🙆‍♀️
woman_gesturing_OK_~ 🙆~‍♀ 🙆~‍♀️
woman_getting_haircut 💇‍♀ 💇‍♀️
woman_getting_haircut_~ 💇~‍♀ 💇~‍♀️
woman_getting_massage 💆‍♀ 💆‍♀️
woman_getting_massage_~ 💆~‍♀ 💆~‍♀️
woman_golfing 🏌‍♀ 🏌‍♀️ 🏌️‍♀ 🏌️‍♀️
woman_golfing_~ 🏌~‍♀ 🏌~‍♀️
woman_guard 💂‍♀ 💂‍♀️
woman_guard_~ 💂~‍♀ 💂~‍♀️
woman_health_worker 👩‍⚕ 👩‍⚕️
woman_health_worker_~ 👩~‍⚕ 👩~‍⚕️
woman_in_lotus_position 🧘‍♀ 🧘‍♀️
woman_in_lotus_position_~ 🧘~‍♀ 🧘~‍♀️
woman_in_manual_wheelchair 👩‍🦽
woman_in_manual_wheelchair_facing_right 👩‍🦽‍➡ 👩‍🦽‍➡️
woman_in_manual_wheelchair_facing_right_~ 👩~‍🦽‍➡ 👩~‍🦽‍➡️
woman_in_manual_wheelchair_~ 👩~‍🦽
woman_in_motorized_wheelchair 👩‍🦼
woman_in_motorized_wheelchair_facing_right 👩‍🦼‍➡ 👩‍🦼‍➡️
woman_in_motorized_wheelchair_facing_right_~ 👩~‍🦼‍➡ 👩~‍🦼‍➡️
woman_in_motorized_wheelchair_~ 👩~‍🦼
woman_in_steamy_room 🧖‍♀ 🧖‍♀️
woman_in_steamy_room_~ 🧖~‍♀ 🧖~‍♀️
woman_in_tuxedo 🤵‍♀ 🤵‍♀️
woman_in_tuxedo_~ 🤵~‍♀ 🤵~‍♀️
woman_judge 👩‍⚖ 👩‍⚖️
woman_judge_~ 👩~‍⚖ 👩~‍⚖️
woman_juggling 🤹‍♀ 🤹‍♀️
woman_juggling_~ 🤹~‍♀ 🤹~‍♀️
woman_kneeling 🧎‍♀ 🧎‍♀️
woman_kneeling_facing_right 🧎‍♀‍➡ 🧎‍♀‍➡️ 🧎‍♀️‍➡ 🧎‍♀️‍➡️
woman_kneeling_facing_right_~ 🧎~‍♀‍➡ 🧎~‍♀‍➡️ 🧎~‍♀️‍➡ 🧎~‍♀️‍➡️
woman_kneeling_~ 🧎~‍♀ 🧎~‍♀️
woman_lifting_weights 🏋‍♀ 🏋‍♀️ 🏋️‍♀ 🏋️‍♀️
woman_lifting_weights_~ 🏋~‍♀ 🏋~‍♀️
woman_mage 🧙‍♀ 🧙‍♀️
woman_mage_~ 🧙~‍♀ 🧙~‍♀️
woman_mechanic 👩‍🔧
woman_mechanic_~ 👩~‍🔧
woman_mountain_biking 🚵‍♀ 🚵‍♀️
woman_mountain_biking_~ 🚵~‍♀ 🚵~‍♀️
woman_office_worker 👩‍💼
woman_office_worker_~ 👩~‍💼
woman_pilot 👩‍✈ 👩‍✈️
woman_pilot_~ 👩~‍✈ 👩~‍✈️
woman_playing_handball 🤾‍♀ 🤾‍♀️
woman_playing_handball_~ 🤾~‍♀ 🤾~‍♀️
woman_playing_water_polo 🤽‍♀ 🤽‍♀️
woman_playing_water_polo_~ 🤽~‍♀ 🤽~‍♀️
woman_police_officer 👮‍♀ 👮‍♀️
woman_police_officer_~ 👮~‍♀ 👮~‍♀️
woman_pouting 🙎‍♀ 🙎‍♀️
woman_pouting_~ 🙎~‍♀ 🙎~‍♀️
woman_raising_hand 🙋‍♀ 🙋‍♀️
woman_raising_hand_~ 🙋~‍♀ 🙋~‍♀️
woman_red_hair 👩‍🦰
woman_rowing_boat 🚣‍♀ 🚣‍♀️
woman_rowing_boat_~ 🚣~‍♀ 🚣~‍♀️
woman_running 🏃‍♀ 🏃‍♀️
woman_running_facing_right 🏃‍♀‍➡ 🏃‍♀‍➡️ 🏃‍♀️‍➡ 🏃‍♀️‍➡️
woman_running_facing_right_~ 🏃~‍♀‍➡ 🏃~‍♀‍➡️ 🏃~‍♀️‍➡ 🏃~‍♀️‍➡️
woman_running_~ 🏃~‍♀ 🏃~‍♀️
woman_scientist 👩‍🔬
woman_scientist_~ 👩~‍🔬
woman_shrugging 🤷‍♀ 🤷‍♀️
woman_shrugging_~ 🤷~‍♀ 🤷~‍♀️
woman_singer 👩‍🎤
woman_singer_~ 👩~‍🎤
woman_standing 🧍‍♀ 🧍‍♀️
woman_standing_~ 🧍~‍♀ 🧍~‍♀️
woman_student 👩‍🎓
woman_student_~ 👩~‍🎓
woman_superhero 🦸‍♀ 🦸‍♀️
woman_superhero_~ 🦸~‍♀ 🦸~‍♀️
woman_supervillain 🦹‍♀ 🦹‍♀️
woman_supervillain_~ 🦹~‍♀ 🦹~‍♀️
woman_surfing 🏄‍♀ 🏄‍♀️
woman_surfing_~ 🏄~‍♀ 🏄~‍♀️
woman_swimming 🏊‍♀ 🏊‍♀️
woman_swimming_~ 🏊~‍♀ 🏊~‍♀️
woman_teacher 👩‍🏫
woman_teacher_~ 👩~‍🏫
woman_technologist 👩‍💻
woman_technologist_~ 👩~‍💻
woman_tipping_hand 💁‍♀ 💁‍♀️
woman_tipping_hand_~ 💁~‍♀ 💁~‍♀️
woman_vampire 🧛‍♀ 🧛‍♀️
woman_vampire_~ 🧛~‍♀ 🧛~‍♀️
woman_walking 🚶‍♀ 🚶‍♀️
woman_walking_facing_right 🚶‍♀‍➡ 🚶‍♀‍➡️ 🚶‍♀️‍➡ 🚶‍♀️‍➡️
woman_walking_facing_right_~ 🚶~‍♀‍➡ 🚶~‍♀‍➡️ 🚶~‍♀️‍➡ 🚶~‍♀️‍➡️
woman_walking_~ 🚶~‍♀ 🚶~‍♀️
woman_wearing_turban 👳‍♀ 👳‍♀️
woman_wearing_turban_~ 👳~‍♀ 👳~‍♀️
woman_white_hair 👩‍🦳
woman_with_headscarf 🧕
woman_with_headscarf_~ 🧕~
woman_with_veil 👰‍♀ 👰‍♀️
woman_with_veil_~ 👰~‍♀ 👰~‍♀️
woman_with_white_cane 👩‍🦯
woman_with_white_cane_facing_right 👩‍🦯‍➡ 👩‍🦯‍➡️
woman_with_white_cane_facing_right_~ 👩~‍🦯‍➡ 👩~‍🦯‍➡️
woman_with_white_cane_~ 👩~‍🦯
woman_zombie 🧟‍♀ 🧟‍♀️
woman_~ 👩~
woman_~_bald 👩~‍🦲
woman_~_beard 🧔~‍♀ 🧔~‍♀️
woman_~_blond_hair 👱~‍♀ 👱~‍♀️
woman_~_curly_hair 👩~‍🦱
woman_~_red_hair 👩~‍🦰
woman_~_white_hair 👩~‍🦳
woman’s_boot 👢
woman’s_clothes 👚
woman’s_hat 👒
woman’s_sandal 👡
women_holding_hands 👭
women_holding_hands_dark_skin_tone_light_skin_tone 👩🏿‍🤝‍👩🏻
women_holding_hands_dark_skin_tone_medium-dark_skin_tone 👩🏿‍🤝‍👩🏾
women_holding_hands_dark_skin_tone_medium-light_skin_tone 👩🏿‍🤝‍👩🏼
women_holding_hands_dark_skin_tone_medium_skin_tone 👩🏿‍🤝‍👩🏽
women_holding_hands_light_skin_tone_dark_skin_tone 👩🏻‍🤝‍👩🏿
women_holding_hands_light_skin_tone_medium-dark_skin_tone 👩🏻‍🤝‍👩🏾
women_holding_hands_light_skin_tone_medium-light_skin_tone 👩🏻‍🤝‍👩🏼
women_holding_hands_light_skin_tone_medium_skin_tone 👩🏻‍🤝‍👩🏽
women_holding_hands_medium-dark_skin_tone_dark_skin_tone 👩🏾‍🤝‍👩🏿
women_holding_hands_medium-dark_skin_tone_light_skin_tone 👩🏾‍🤝‍👩🏻
women_holding_hands_medium-dark_skin_tone_medium-light_skin_tone 👩🏾‍🤝‍👩🏼
women_holding_hands_medium-dark_skin_tone_medium_skin_tone 👩🏾‍🤝‍👩🏽
women_holding_hands_medium-light_skin_tone_dark_skin_tone 👩🏼‍🤝‍👩🏿
women_holding_hands_medium-light_skin_tone_light_skin_tone 👩🏼‍🤝‍👩🏻
women_holding_hands_medium-light_skin_tone_medium-dark_skin_tone 👩🏼‍🤝‍👩🏾
women_holding_hands_medium-light_skin_tone_medium_skin_tone 👩🏼‍🤝‍👩🏽
women_holding_hands_medium_skin_tone_dark_skin_tone 👩🏽‍🤝‍👩🏿
women_holding_hands_medium_skin_tone_light_skin_tone 👩🏽‍🤝‍👩🏻
women_holding_hands_medium_skin_tone_medium-dark_skin_tone 👩🏽‍🤝‍👩🏾
women_holding_hands_medium_skin_tone_medium-light_skin_tone 👩🏽‍🤝‍👩🏼
women_holding_hands_~ 👭~
women_with_bunny_ears 👯‍♀ 👯‍♀️
women_with_bunny_ears_dark_skin_tone_light_skin_tone 👩🏿‍🐰‍👩🏻
women_with_bunny_ears_dark_skin_tone_medium-dark_skin_tone 👩🏿‍🐰‍👩🏾
women_with_bunny_ears_dark_skin_tone_medium-light_skin_tone 👩🏿‍🐰‍👩🏼
women_with_bunny_ears_dark_skin_tone_medium_skin_tone 👩🏿‍🐰‍👩🏽
women_with_bunny_ears_light_skin_tone_dark_skin_tone 👩🏻‍🐰‍👩🏿
women_with_bunny_ears_light_skin_tone_medium-dark_skin_tone 👩🏻‍🐰‍👩🏾
women_with_bunny_ears_light_skin_tone_medium-light_skin_tone 👩🏻‍🐰‍👩🏼
women_with_bunny_ears_light_skin_tone_medium_skin_tone 👩🏻‍🐰‍👩🏽
women_with_bunny_ears_medium-dark_skin_tone_dark_skin_tone 👩🏾‍🐰‍👩🏿
women_with_bunny_ears_medium-dark_skin_tone_light_skin_tone 👩🏾‍🐰‍👩🏻
women_with_bunny_ears_medium-dark_skin_tone_medium-light_skin_tone 👩🏾‍🐰‍👩🏼
women_with_bunny_ears_medium-dark_skin_tone_medium_skin_tone 👩🏾‍🐰‍👩🏽
women_with_bunny_ears_medium-light_skin_tone_dark_skin_tone 👩🏼‍🐰‍👩🏿
women_with_bunny_ears_medium-light_skin_tone_light_skin_tone 👩🏼‍🐰‍👩🏻
women_with_bunny_ears_medium-light_skin_tone_medium-dark_skin_tone 👩🏼‍🐰‍👩🏾
women_with_bunny_ears_medium-light_skin_tone_medium_skin_tone 👩🏼‍🐰‍👩🏽
women_with_bunny_ears_medium_skin_tone_dark_skin_tone 👩🏽‍🐰‍👩🏿
women_with_bunny_ears_medium_skin_tone_light_skin_tone 👩🏽‍🐰‍👩🏻
women_with_bunny_ears_medium_skin_tone_medium-dark_skin_tone 👩🏽‍🐰‍👩🏾
women_with_bunny_ears_medium_skin_tone_medium-light_skin_tone 👩🏽‍🐰‍👩🏼
women_with_bunny_ears_~ 👯~‍♀ 👯~‍♀️
women_wrestling 🤼‍♀ 🤼‍♀️
women_wrestling_dark_skin_tone_light_skin_tone 👩🏿‍🫯‍👩🏻
women_wrestling_dark_skin_tone_medium-dark_skin_tone 👩🏿‍🫯‍👩🏾
women_wrestling_dark_skin_tone_medium-light_skin_tone 👩🏿‍🫯‍👩🏼
women_wrestling_dark_skin_tone_medium_skin_tone 👩🏿‍🫯‍👩🏽
women_wrestling_light_skin_tone_dark_skin_tone 👩🏻‍🫯‍👩🏿
women_wrestling_light_skin_tone_medium-dark_skin_tone 👩🏻‍🫯‍👩🏾
women_wrestling_light_skin_tone_medium-light_skin_tone 👩🏻‍🫯‍👩🏼
women_wrestling_light_skin_tone_medium_skin_tone 👩🏻‍🫯‍👩🏽
women_wrestling_medium-dark_skin_tone_dark_skin_tone 👩🏾‍🫯‍👩🏿
women_wrestling_medium-dark_skin_tone_light_skin_tone 👩🏾‍🫯‍👩🏻
women_wrestling_medium-dark_skin_tone_medium-light_skin_tone 👩🏾‍🫯‍👩🏼
women_wrestling_medium-dark_skin_tone_medium_skin_tone 👩🏾‍🫯‍👩🏽
women_wrestling_medium-light_skin_tone_dark_skin_tone 👩🏼‍🫯‍👩🏿
women_wrestling_medium-light_skin_tone_light_skin_tone 👩🏼‍🫯‍👩🏻
women_wrestling_medium-light_skin_tone_medium-dark_skin_tone 👩🏼‍🫯‍👩🏾
women_wrestling_medium-light_skin_tone_medium_skin_tone 👩🏼‍🫯‍👩🏽
women_wrestling_medium_skin_tone_dark_skin_tone 👩🏽‍🫯‍👩🏿
women_wrestling_medium_skin_tone_light_skin_tone 👩🏽‍🫯‍👩🏻
women_wrestling_medium_skin_tone_medium-dark_skin_tone 👩🏽‍🫯‍👩🏾
women_wrestling_medium_skin_tone_medium-light_skin_tone 👩🏽‍🫯‍👩🏼
women_wrestling_~ 🤼~‍♀ 🤼~‍♀️
women’s_room 🚺
wood 🪵
woozy_face 🥴
world_map 🗺 🗺️
worm 🪱
worried_face 😟
wrapped_gift 🎁
wrench 🔧
writing_hand ✍ ✍️
writing_hand_~ ✍~
x-ray 🩻
yarn 🧶
yawning_face 🥱
yellow_circle 🟡
yellow_heart 💛
yellow_square 🟨
yen_banknote 💴
yin_yang ☯ ☯️
yo-yo 🪀
zany_face 🤪
zebra 🦓
zipper-mouth_face 🤐
zombie 🧟
Åland_Islands 🇦🇽`;
